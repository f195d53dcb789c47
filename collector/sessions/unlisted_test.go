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
