// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"fmt"
	"testing"
	"time"
)

func TestLeaveSilentAddress(t *testing.T) {
	began := time.Now()
	earlier, later := began.Add(-time.Hour), began.Add(time.Second)
	for name, tc := range map[string]struct {
		candidates map[string]*candidate
		want       string
	}{
		"stays":                   {map[string]*candidate{"a": {repliedAt: later}, "b": {repliedAt: later}}, "a"},
		"nobody has replied":      {map[string]*candidate{"a": {repliedAt: earlier}, "b": {repliedAt: earlier}}, "a"},
		"gone":                    {map[string]*candidate{"a": {repliedAt: earlier}, "b": {repliedAt: later}}, "b"},
		"failed":                  {map[string]*candidate{"a": {repliedAt: later, failedAt: later}, "b": {repliedAt: later}}, "b"},
		"failed, and none other":  {map[string]*candidate{"a": {repliedAt: later, failedAt: later}}, "a"},
		"both have failed, a now": {map[string]*candidate{"a": {repliedAt: later, failedAt: later}, "b": {repliedAt: later, failedAt: earlier}}, "b"},
		"both have failed, b now": {map[string]*candidate{"a": {repliedAt: later, failedAt: earlier}, "b": {repliedAt: later, failedAt: later}}, "a"},
	} {
		p := &knownPlug{address: "a", candidates: tc.candidates}
		if p.leaveSilentAddress(began); p.address != tc.want {
			t.Errorf("%s: at %s, want %s", name, p.address, tc.want)
		}
	}
}

// TestTwoAddressesForOneMAC: the address in use is kept while the plug is read
// there. After a failed read another address that replies is used.
func TestTwoAddressesForOneMAC(t *testing.T) {
	h := newHome(t, auths+"targets: [{name: a, mac: "+aMAC+"}]\n")
	h.RecordReply(reply(aMAC, "10.0.0.1:80", ""))
	h.RecordReply(reply(aMAC, "10.0.0.66:80", ""))
	if got := h.Address(aMAC); got != "10.0.0.1:80" {
		t.Errorf("at %s before a read", got)
	}
	target, _ := h.store.Current().Target("a")
	target.Address = "10.0.0.1:80"
	_, searchable := h.recordRead(t.Context(), target, readingOf("A"), nil)
	h.RecordReply(reply(aMAC, "10.0.0.66:80", ""))
	if got := h.Address(aMAC); got != "10.0.0.1:80" || searchable {
		t.Errorf("at %s after a read", got)
	}
	if _, searchable := h.recordRead(t.Context(), target, readingOf(""), unreachable); !searchable {
		t.Error("not searched for after a failed read")
	}
	h.RecordReply(reply(aMAC, "10.0.0.66:80", ""))
	if got := h.Address(aMAC); got != "10.0.0.66:80" {
		t.Errorf("at %s after a failed read", got)
	}
}

// TestCandidatesAreBounded: one host has one candidate, and the one in use stays.
func TestCandidatesAreBounded(t *testing.T) {
	h := newHome(t, auths+"targets: [{name: a, mac: "+aMAC+"}]\n")
	h.RecordReply(reply(aMAC, "10.0.0.2:80", ""))
	for i := range 3 * maxCandidates {
		h.RecordReply(reply(aMAC, fmt.Sprintf("10.0.0.3:%d", 2000+i), ""))
		h.RecordReply(reply(aMAC, fmt.Sprintf("10.0.1.%d:80", i), ""))
	}
	p := h.plugs[aMAC]
	if len(p.candidates) > maxCandidates || p.address != "10.0.0.2:80" || p.candidates[p.address] == nil {
		t.Errorf("%+v", p)
	}
	h.RecordReply(reply(aMAC, "10.0.0.9:80", ""))
	for i := range 3 * maxCandidates {
		h.RecordReply(reply(aMAC, fmt.Sprintf("10.0.0.66:%d", 2000+i), ""))
	}
	if p.candidates["10.0.0.9:80"] == nil {
		t.Error("another host's ports push a candidate out")
	}
}
