// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"net/netip"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// age makes the plugs unused for longer.
func (h *home) age(by time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.Pool.plugs {
		p.used = p.used.Add(-by)
	}
}

func TestUnlistedPlugsAreForgotten(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	h := newHome(t, auths, dialTo(p))
	addr := netip.MustParseAddr("10.0.0.1")
	for range 20 {
		h.want(t, addr.String(), "")
		addr = addr.Next()
	}
	h.age(idleUnlisted + time.Hour)
	h.want(t, addr.String(), "")
	if n := len(h.Pool.plugs); n != 1 {
		t.Errorf("%d plugs are remembered", n)
	}
	if n := h.locks.Len(); n != 1 {
		t.Errorf("%d guards are remembered", n)
	}
}

// TestRejectionsOutliveIdleness: an unlisted plug is forgotten after a day,
// but not that it has refused the password.
func TestRejectionsOutliveIdleness(t *testing.T) {
	p := startCountingPlug(t)
	h := newHome(t, "auths: {home: {username: "+username+", password: wrong}}\n", dialTo(p))
	for range 3 {
		if h.up("10.0.0.1") {
			t.Error("read with a wrong password")
		}
		h.age(idleUnlisted + time.Hour)
		h.mu.Lock()
		h.forgetUnlisted(time.Now())
		h.mu.Unlock()
	}
	wantLoginFailures(t, "idle for hours", p, 1)

	h.reload(t, "auths: {home: {username: "+username+", password: wrong-as-well}}\n")
	h.want(t, "10.0.0.1", tapo.BadCredentials)
	wantLoginFailures(t, "another password", p, 2)
	if n := len(h.Pool.plugs); n != 1 {
		t.Errorf("%d plugs are remembered", n)
	}
}

// TestGuessesAtUnlistedAddresses: whoever names addresses to /probe has few logins tried at
// them. A plug that is listed then is tried.
func TestGuessesAtUnlistedAddresses(t *testing.T) {
	const wrong = "auths: {home: {username: " + username + ", password: wrong}}\n"
	p := startCountingPlug(t)
	h := newHome(t, wrong, dialTo(p))
	addr := netip.MustParseAddr("10.0.0.1")
	for range 60 {
		h.up(addr.String())
		addr = addr.Next()
	}
	wantLoginFailures(t, "60 addresses", p, 10)
	h.want(t, "10.0.0.60", tapo.LoginBackoff)
	h.reload(t, wrong+"targets: [{name: plug, address: 10.0.0.60}]\n")
	h.want(t, "plug", tapo.BadCredentials)
	wantLoginFailures(t, "one of them listed", p, 11)
	h.reload(t, auths)
	h.want(t, "10.0.0.61", "")
}

// TestDiscard forgets a plug, but not that it has refused the password, and no plug
// that is listed.
func TestDiscard(t *testing.T) {
	p := startCountingPlug(t)
	h := newHome(t, "auths: {home: {username: "+username+", password: wrong}}\ntargets: [{name: listed, address: 10.0.0.2}]\n", dialTo(p))
	listed := h.config.Targets[0]
	unlisted := listed
	unlisted.Name, unlisted.Address = "10.0.0.1", "10.0.0.1"
	for range 3 {
		if h.up("10.0.0.1") {
			t.Error("read with a wrong password")
		}
		h.Discard(unlisted)
		h.Discard(listed)
	}
	wantLoginFailures(t, "discarded", p, 1)
	if n := len(h.Pool.plugs); n != 1 || h.find(listed) == nil {
		t.Errorf("%d plugs are remembered", n)
	}
}
