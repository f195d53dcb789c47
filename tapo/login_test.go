// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestSessionsOverADay: logins are as many as the sessions' lifetime asks for,
// and no probe fails because of them.
func TestSessionsOverADay(t *testing.T) {
	t.Parallel()
	atHome(t, &simulator.Plug{SessionLifetime: time.Hour}, plugtest.Credentials, func(h *plugtest.Home) {
		if seen := h.Poll(24 * time.Hour); len(seen) != 1 || seen[plugtest.OK] == 0 {
			h.Errorf("reasons %v", seen)
		}
		s := h.Plug.Stats()
		if s.Logins != 25 || s.Steps["discover"] != 25 { // one every 59 minutes
			h.Errorf("%d logins, steps %v", s.Logins, s.Steps)
		}
		if reads := 24 * 60 * 4; s.Steps["/ds"] != reads {
			h.Errorf("%d requests for %d reads", s.Steps["/ds"], reads)
		}
	})
}

// TestTimeoutEndsTheSession: after a request that got no answer nobody knows
// where the plug's counter stands.
func TestTimeoutEndsTheSession(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Poll(time.Minute)
		h.Plug.Inject(simulator.Fault{Kind: simulator.Hang, Path: "/ds", Times: 1})
		if seen := h.Poll(time.Minute); len(seen) != 1 || seen[plugtest.OK] == 0 {
			h.Errorf("reasons %v", seen)
		}
		if s := h.Plug.Stats(); s.Logins != 2 || s.Steps["discover"] != 2 {
			h.Errorf("%d logins, steps %v", s.Logins, s.Steps)
		}
	})
}

func TestSessionIsRenewedInTime(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P110, simulator.P110TPAP, simulator.P110Passthrough} {
		now := time.Now()
		clock := func() time.Time { return now }
		p := plugtest.Start(t, &simulator.Plug{Model: m, SessionLifetime: time.Hour, Now: clock})
		lost := 0
		d := plugtest.Device(t, p, func(c *tapo.Config) {
			c.Now = clock
			c.Trace.SessionLost = func(tapo.Protocol) { lost++ }
		})
		plugtest.Read(t, d)
		now = now.Add(58 * time.Minute)
		if got := plugtest.Requests(p, func() { plugtest.Read(t, d) }); got != 1 {
			t.Errorf("%s: %d requests before the end", m.Protocol, got)
		}
		now = now.Add(90 * time.Second)
		want := 3
		if m.Protocol == simulator.TPAP {
			want = 4 // it is asked first whether it is still the same plug
		}
		if got := plugtest.Requests(p, func() { plugtest.Read(t, d) }); got != want {
			t.Errorf("%s: %d requests at the end, want %d", m.Protocol, got, want)
		}
		if lost != 0 {
			t.Errorf("%s: %d sessions lost", m.Protocol, lost)
		}
	}
}

// TestTooManyRequestsCoolDown: after an answer of 429 there is a cooldown, longer
// each time, over reloads and for all devices of the plug. Other credentials are
// tried at once.
func TestTooManyRequestsCoolDown(t *testing.T) {
	for _, k := range plugtest.Generations {
		t.Run(k.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := plugtest.NewHome(t, k.Model)
				guard := tapo.NewGuard("192.0.2.1:80", nil)
				make := func(c tapo.Credentials) *tapo.Device {
					return plugtest.Device(t, h.Plug, func(cfg *tapo.Config) {
						cfg.Guard, cfg.Credentials = guard, c
					})
				}
				d, other := make(plugtest.Credentials), make(plugtest.Credentials)
				plugtest.Read(h, d)
				h.Plug.Inject(simulator.Fault{Kind: simulator.Status, Status: 429})
				for _, seconds := range []int{10, 20, 40, 80, 160, 300, 300} {
					if got := plugtest.Requests(h.Plug, func() { h.Reason(d) }); got != 1 {
						t.Errorf("%d requests", got)
					}
					reloaded := make(plugtest.Credentials)
					reloaded.Replace(d)
					d = reloaded
					time.Sleep(time.Duration(seconds)*time.Second - time.Millisecond)
					for _, d := range []*tapo.Device{d, other} {
						start := time.Now()
						if got := plugtest.Requests(h.Plug, func() { h.Reason(d) }); got != 0 || time.Since(start) > 0 {
							t.Errorf("%d requests, %v during the cooldown", got, time.Since(start))
						}
					}
					time.Sleep(time.Millisecond)
				}
				h.Reason(d)
				h.Plug.Heal()
				changed := make(tapo.Credentials{Username: plugtest.Username, Password: "another"})
				changed.Replace(d)
				if got := h.Reason(changed); got != tapo.BadCredentials {
					t.Errorf("changed credentials: %s", got)
				}

				for range 2 { // a read that succeeds sets the wait back
					h.Plug.Inject(simulator.Fault{Kind: simulator.Status, Status: 429, Times: 1})
					h.Reason(other)
					time.Sleep(10 * time.Second)
					if got := h.Reason(other); got != plugtest.OK {
						t.Errorf("after 10 s: %s", got)
					}
				}
			})
		})
	}
}

// TestTooManyRequestsKeepTheSession: a plug that wants a pause keeps the session.
func TestTooManyRequestsKeepTheSession(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Poll(time.Minute)
		h.Plug.Inject(simulator.Fault{Kind: simulator.Status, Status: 429, Path: "/ds", Times: 40})
		h.Poll(20 * time.Minute)
		saw(h, "in all", 1, 0)
	})
}
