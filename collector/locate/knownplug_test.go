// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import "testing"

// TestForeignOwner does not hide a plug that replies as well, or that was read.
func TestForeignOwner(t *testing.T) {
	h := newHome(t, auths+"discovery: {enabled: true}\n")
	h.RecordReply(reply(aMAC, "10.0.0.66:80", foreignOwner))
	if h.readUnread(t) != 0 {
		t.Error("somebody else's plug was read")
	}
	h.discover(t, aMAC, "10.0.0.1:80", "")
	if got := h.addresses(t)["p110-001122"]; got != "10.0.0.1:80" {
		t.Errorf("at %s", got)
	}
	h.RecordReply(reply(aMAC, "10.0.0.1:80", foreignOwner))
	if len(h.addresses(t)) != 1 {
		t.Error("gone by one datagram")
	}
}

// TestDefaultNames are not changed by what others reply.
func TestDefaultNames(t *testing.T) {
	h := newHome(t, auths+"discovery: {enabled: true}\n")
	h.RecordReply(reply("10-00-00-00-11-22", "10.0.0.66:80", ""))
	h.discover(t, aMAC, "10.0.0.1:80", "")
	h.addresses(t)
	h.RecordReply(reply("11-00-00-00-11-22", "10.0.0.67:80", foreignOwner))
	h.discover(t, "12-00-00-00-11-22", "10.0.0.2:80", "")
	other := reply(aMAC, "10.0.0.1:80", "")
	other.Model = "P999"
	h.RecordReply(other)
	for range 2 {
		if got := h.addresses(t); len(got) != 2 || got["p110-001122"] == "" || got["p110-001122-120000"] == "" {
			t.Errorf("%v", got)
		}
	}
	h.reload(t, auths+"targets: [{name: p110-001122, address: 10.9.9.9}]\ndiscovery: {enabled: true}\n")
	if got := h.addresses(t); len(got) != 3 || got["p110-001122"] != "10.9.9.9" || got["p110-001122 "+aMAC] == "" {
		t.Errorf("%v", got)
	}
}
