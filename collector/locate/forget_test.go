// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"fmt"
	"testing"
	"time"
)

// TestSilentPlugsAreForgotten, those that were read later than others, and those that
// are listed never.
func TestSilentPlugsAreForgotten(t *testing.T) {
	const unread, read, listed = "AA-BB-CC-00-00-01", "AA-BB-CC-00-00-02", aMAC
	for silent, want := range map[time.Duration]int{
		forgetUnread - time.Minute: 3, forgetUnread + time.Minute: 2, forgetAfter - time.Minute: 2, forgetAfter + time.Minute: 1,
	} {
		h := newHome(t, auths+"targets: [{name: a, mac: "+listed+"}]\ndiscovery: {enabled: true}\n")
		h.discover(t, read, "10.0.0.2:80", "Read")
		h.RecordReply(reply(listed, "10.0.0.3:80", ""))
		h.RecordReply(reply(unread, "10.0.0.1:80", ""))
		for _, p := range h.plugs {
			p.repliedAt = time.Now().Add(-silent)
		}
		for _, u := range h.unread {
			u.repliedAt = time.Now().Add(-silent)
		}
		h.forget(h.store.Current())
		if got := len(h.plugs) + len(h.unread); got != want || h.plugs[listed] == nil {
			t.Errorf("after %v: %d plugs, want %d", silent, got, want)
		}
	}
}

// TestReadPlugsAreBounded: no more than so many plugs become targets without being
// listed, and none goes for another one.
func TestReadPlugsAreBounded(t *testing.T) {
	h := newHome(t, auths+"targets: [{name: a, mac: "+aMAC+"}]\ndiscovery: {enabled: true}\n")
	for i := range maxPlugs + 10 {
		address := fmt.Sprintf("10.0.%d.%d:80", i>>8, i&0xff)
		reading := readingOf(fmt.Sprint("Plug ", i))
		h.readings[address] = &reading
		h.RecordReply(reply(fmt.Sprintf("AA-BB-CC-01-%02X-%02X", i>>8, i&0xff), address, ""))
		h.readUnread(t)
	}
	h.RecordReply(reply(aMAC, "10.9.0.1:80", ""))
	if got := h.addresses(t); len(got) != 1+maxPlugs || got["Plug 0"] == "" || got["a"] == "" {
		t.Errorf("%d targets", len(got))
	}
}

// TestAccountOfDiscovery: a plug that was read with another account is not one of
// discovery's, and a new password is tried at once.
func TestAccountOfDiscovery(t *testing.T) {
	const off, failing = "AA-BB-CC-00-00-01", "AA-BB-CC-00-00-02"
	h := newHome(t, auths+"discovery: {enabled: true}\n")
	h.discover(t, off, "10.0.0.1:80", "Lamp")
	h.RecordReply(reply(failing, "10.0.0.2:80", ""))
	h.readUnread(t)
	h.reload(t, "auths: {home: {username: user@example.com, password: New-Passw0rd!}}\ndiscovery: {enabled: true}\n")
	h.forget(h.store.Current())
	if got := h.addresses(t); len(got) != 1 || len(h.unread) != 0 {
		t.Errorf("with a new password: %v, %d wait for the old one", got, len(h.unread))
	}
	h.reload(t, "auths: {home: {username: other@example.com, password: Test-Passw0rd!}}\ndiscovery: {enabled: true}\n")
	if got := h.addresses(t); len(got) != 0 {
		t.Errorf("with another account: %v", got)
	}
	if h.forget(h.store.Current()); len(h.plugs) != 0 {
		t.Error("the plug is not read anew")
	}
}
