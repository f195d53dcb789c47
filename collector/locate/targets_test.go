// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"fmt"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
)

func TestFindTarget(t *testing.T) {
	const bedMAC, lampMAC, unreadMAC = "AA-BB-CC-00-00-01", "AA-BB-CC-00-00-02", "AA-BB-CC-00-00-05"
	h := newHome(t, auths+"targets: [{name: bed, mac: "+bedMAC+"}, {name: desk, address: 10.0.0.3}]\ndiscovery: {enabled: true}\n")
	h.RecordReply(reply(bedMAC, "10.0.0.1:80", ""))
	h.discover(t, lampMAC, "10.0.0.2:8080", "Lamp")
	h.RecordReply(reply("AA-BB-CC-00-00-03", "10.0.0.3:80", "")) // which is listed
	h.RecordReply(reply(unreadMAC, "10.0.0.5:80", ""))
	h.RecordReply(reply("AA-BB-CC-00-00-06", "10.0.0.6:80", foreignOwner))
	h.plugs[lampMAC].recordName("Lamp 💡")
	for name, want := range map[string]config.Target{
		"bed":            {Name: "bed", MAC: bedMAC},
		"10.0.0.1":       {Name: "bed", MAC: bedMAC, Address: "10.0.0.1:80"},
		"10.0.0.1:80":    {Name: "bed", MAC: bedMAC, Address: "10.0.0.1:80"},
		"10.0.0.3":       {Name: "desk", Address: "10.0.0.3"},
		"Lamp 💡":         {Name: "Lamp 💡", MAC: lampMAC},
		"Lamp":           {Name: "Lamp 💡", MAC: lampMAC},
		"p110-000002":    {Name: "Lamp 💡", MAC: lampMAC},
		"10.0.0.2":       {Name: "Lamp 💡", MAC: lampMAC, Address: "10.0.0.2:8080"},
		"10.0.0.2:8080":  {Name: "Lamp 💡", MAC: lampMAC, Address: "10.0.0.2:8080"},
		"p110-000005":    {Name: "p110-000005", MAC: unreadMAC, Address: "10.0.0.5:80"},
		"10.0.0.5":       {Name: "p110-000005", MAC: unreadMAC, Address: "10.0.0.5:80"},
		"p110-000006":    {},
		"10.0.0.6":       {},
		"10.0.0.2:80":    {},
		"p110-000003":    {},
		"":               {},
		"10.0.0.4":       {},
		"not an address": {},
	} {
		got, ok := h.FindTarget(h.store.Current(), name)
		if ok != (want.Name != "") || got.Name != want.Name || got.MAC != want.MAC || got.Address != want.Address {
			t.Errorf("%q: %+v, %t", name, got, ok)
		}
	}
	if got := h.addresses(t); len(got) != 3 || got["p110-000005"] != "" {
		t.Errorf("targets: %v", got)
	}
}

// TestListedByHostName: a plug that is listed with the name of a host is not added
// once it was read.
func TestListedByHostName(t *testing.T) {
	h := newHome(t, auths+"targets: [{name: desk, address: desk.lan}]\ndiscovery: {enabled: true}\n")
	h.discover(t, aMAC, "10.0.0.1:80", "Lamp")
	if got := h.addresses(t); len(got) != 2 {
		t.Errorf("before a read: %v", got)
	}
	h.readMACs["desk"] = "AA:BB:CC:00:11:22"
	if got := h.addresses(t); len(got) != 1 {
		t.Errorf("after a read: %v", got)
	}
}

// BenchmarkFindTarget looks a target up that is listed by its MAC address.
func BenchmarkFindTarget(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		yaml := auths + "discovery: {enabled: true}\ntargets:\n"
		for i := range n {
			yaml += fmt.Sprintf("  - {name: plug-%d, mac: AA-BB-CC-00-%02X-%02X}\n", i, i>>8, i&0xff)
		}
		h := newHome(b, yaml)
		c := h.store.Current()
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, ok := h.FindTarget(c, fmt.Sprintf("plug-%d", n-1)); !ok {
					b.Fatal("not found")
				}
			}
		})
	}
}

// BenchmarkFindUnknown looks up what nobody has, among as many discovered plugs as there
// may be.
func BenchmarkFindUnknown(b *testing.B) {
	h := newHome(b, discovers)
	for i := range maxPlugs {
		h.discover(b, forged(i).MAC, forged(i).Address.String(), fmt.Sprint("Plug ", i))
	}
	for i := range maxUnread {
		h.RecordReply(forged(maxPlugs + i))
	}
	c := h.store.Current()
	for b.Loop() {
		if _, ok := h.FindTarget(c, "Kettle"); ok {
			b.Fatal("found")
		}
	}
}
