// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"fmt"
	"testing"
	"time"
)

// TestPlugsAreBounded: what is listed or was read comes first, and newcomers
// before those that were never read.
func TestPlugsAreBounded(t *testing.T) {
	h := newHome(t, auths+"targets: [{name: a, mac: "+aMAC+"}]\ndiscovery: {enabled: true}\n")
	h.RecordReply(reply("AA-BB-CC-00-00-01", "10.0.0.1:80", ""))
	h.plugs["AA-BB-CC-00-00-01"].everRead = true
	for i := range 2 * maxPlugs {
		h.RecordReply(reply(fmt.Sprintf("AA-BB-CC-01-%02X-%02X", i>>8, i&0xff), "10.0.0.66:80", foreignOwner))
	}
	h.RecordReply(reply(aMAC, "10.0.0.2:80", ""))
	if len(h.plugs) > maxPlugs+1 || h.plugs["AA-BB-CC-00-00-01"] == nil || h.plugs[aMAC] == nil {
		t.Errorf("%d plugs", len(h.plugs))
	}
	h.RecordReply(reply("AA-BB-CC-00-00-02", "10.0.0.4:80", ""))
	if got := h.addresses(t); len(got) != 3 {
		t.Errorf("targets %v", got)
	}
}

// TestSilentPlugsAreForgotten, those that could be read later than others, and
// those that are listed never.
func TestSilentPlugsAreForgotten(t *testing.T) {
	const unread, read, listed = "AA-BB-CC-00-00-01", "AA-BB-CC-00-00-02", aMAC
	for silent, want := range map[time.Duration]int{
		forgetUnread - time.Minute: 3, forgetUnread + time.Minute: 2, forgetAfter - time.Minute: 2, forgetAfter + time.Minute: 1,
	} {
		h := newHome(t, auths+"targets: [{name: a, mac: "+listed+"}]\ndiscovery: {enabled: true}\n")
		for i, mac := range []string{unread, read, listed} {
			h.RecordReply(reply(mac, fmt.Sprintf("10.0.0.%d:80", i+1), ""))
			h.plugs[mac].repliedAt = time.Now().Add(-silent)
		}
		h.plugs[read].everRead = true
		h.forgetSilent(h.store.Current())
		if len(h.plugs) != want || h.plugs[listed] == nil {
			t.Errorf("after %v: %d plugs, want %d", silent, len(h.plugs), want)
		}
	}
}
