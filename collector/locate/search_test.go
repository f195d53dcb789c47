// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestWhereRepliesComeFrom: only what may be a plug of a local network is looked
// at.
func TestWhereRepliesComeFrom(t *testing.T) {
	h := newHome(t, auths+"discovery: {enabled: true, addresses: [203.0.113.5, 255.255.255.255]}\n")
	for address, want := range map[string]bool{
		"10.0.0.1:80": true, "192.168.1.2:80": true, "172.16.0.3:8080": true, "127.0.0.1:40000": true, "169.254.1.1:80": true, "203.0.113.5:80": true,
		"8.8.8.8:80": false, "169.254.169.254:80": false, "192.168.1.2:22": false, "203.0.113.6:80": false, "100.64.0.1:80": false,
	} {
		clear(h.plugs)
		h.RecordReply(reply(aMAC, address, ""))
		if got := len(h.plugs) == 1; got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}

// TestReloadDuringSearch: new addresses are asked at once.
func TestReloadDuringSearch(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(97)
	h.plug(t, 2, &simulator.Plug{Name: "Late", Username: "user@example.com"})
	h.run(t, auths+h.discoveryYAML("enabled: true, interval: 1h", 1))
	time.Sleep(700 * time.Millisecond) // after the first search
	h.startSearch(t.Context())
	time.Sleep(50 * time.Millisecond)
	h.reload(t, auths+h.discoveryYAML("enabled: true, interval: 1h", 2))
	hometest.Eventually(t, "the new address is asked", func() bool { return len(h.addresses(t)) == 1 })
}

// TestMovedUnprobed: a search alone finds a plug that was read and has moved.
func TestMovedUnprobed(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(100)
	before := h.plug(t, 1, &simulator.Plug{Name: "Wanderer"})
	h.run(t, fmt.Sprintf("%stargets: [{name: a, mac: %s}]\n%s", auths, hometest.MACOf(t, before), h.discoveryYAML("interval: 1h", 2)))
	reading := readingOf("Wanderer")
	h.readings[before.Addr().String()] = &reading
	if address, err := h.read(t, "a"); err != nil || address != before.Addr().String() {
		t.Fatalf("read at %s: %v", address, err)
	}
	before.Close()
	now := h.plug(t, 2, &simulator.Plug{Name: "Wanderer"})
	hometest.Eventually(t, "the first search has ended", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.search == nil
	})
	<-h.startSearch(t.Context()).done
	if got := h.addresses(t)["a"]; got != now.Addr().String() {
		t.Errorf("at %s", got)
	}
}
