// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestEvents has what happens to plugs between two reads: the outcome of the
// next read, what it takes in requests, and what the one after it takes.
func TestEvents(t *testing.T) {
	type outcome struct {
		reason   tapo.Reason
		requests int
		then     int // requests of the read after it, which succeeds
	}
	for _, event := range []struct {
		name string
		do   func(h *plugtest.Home)
		want map[string]outcome // by kind
	}{
		{"nothing", func(*plugtest.Home) {}, map[string]outcome{"klap": {plugtest.OK, 1, 1}, "tpap": {plugtest.OK, 1, 1}, "passthrough": {plugtest.OK, 1, 1}}},
		{
			"it restarts", func(h *plugtest.Home) { h.Plug.LoseSession() },
			map[string]outcome{"klap": {plugtest.OK, 4, 1}, "tpap": {plugtest.OK, 4, 1}, "passthrough": {plugtest.OK, 4, 1}},
		},
		{
			"power cut, port closed until woken", func(h *plugtest.Home) {
				if err := h.Plug.Sleep(); err != nil {
					h.Fatal(err)
				}
			},
			map[string]outcome{"klap": {plugtest.OK, 4, 1}, "tpap": {plugtest.OK, 4, 1}, "passthrough": {plugtest.OK, 4, 1}},
		},
		{
			"a rival logs in", func(h *plugtest.Home) { plugtest.Read(h, h.NewDevice()) },
			map[string]outcome{"klap": {plugtest.OK, 4, 1}, "tpap": {plugtest.OK, 1, 1}, "passthrough": {plugtest.OK, 4, 1}}, // TPAP plugs keep some sessions
		},
		{
			"four rivals log in", func(h *plugtest.Home) {
				for range 4 {
					plugtest.Read(h, h.NewDevice())
				}
			},
			map[string]outcome{"klap": {plugtest.OK, 4, 1}, "tpap": {plugtest.OK, 4, 1}, "passthrough": {plugtest.OK, 4, 1}},
		},
		{
			"connections closed", func(h *plugtest.Home) { h.Plug.CloseConnections() },
			map[string]outcome{"klap": {plugtest.OK, 1, 1}, "tpap": {plugtest.OK, 1, 1}, "passthrough": {plugtest.OK, 1, 1}},
		},
		{
			"a method refused from now on, at which a batch ends", func(h *plugtest.Home) { h.Plug.Refuse("get_emeter_data", -1002) },
			map[string]outcome{"klap": {plugtest.OK, 2, 1}, "tpap": {plugtest.OK, 2, 1}, "passthrough": {plugtest.OK, 1, 1}}, // the last has no such method
		},
		{
			"its clock goes to the year 2000", func(h *plugtest.Home) { h.Plug.SetClock(time.Until(time.Date(2000, 1, 1, 0, 30, 0, 0, time.UTC))) },
			map[string]outcome{"klap": {plugtest.OK, 1, 1}, "tpap": {plugtest.OK, 1, 1}, "passthrough": {plugtest.OK, 1, 1}},
		},
		{
			"another model comes to its address", func(h *plugtest.Home) { h.Plug.SetModel(simulator.P105) },
			map[string]outcome{"klap": {plugtest.OK, 5, 1}, "tpap": {plugtest.OK, 7, 1}, "passthrough": {plugtest.OK, 7, 1}},
		},
		{
			"firmware with TPAP", func(h *plugtest.Home) { h.Plug.SetModel(simulator.P110TPAP) },
			map[string]outcome{"klap": {plugtest.OK, 7, 1}, "tpap": {plugtest.OK, 4, 1}, "passthrough": {plugtest.OK, 7, 1}},
		},
		{
			"the compatibility switch goes on", func(h *plugtest.Home) { h.Plug.SetCompatibility(true) },
			map[string]outcome{"tpap": {plugtest.OK, 6, 1}},
		},
		{
			"the password changes", func(h *plugtest.Home) { h.Plug.SetCredentials(plugtest.Username, "another") },
			map[string]outcome{"klap": {tapo.BadCredentials, 2, -1}, "tpap": {tapo.BadCredentials, 3, -1}, "passthrough": {tapo.BadCredentials, 3, -1}},
		},
	} {
		for _, k := range plugtest.Generations {
			want, applies := event.want[k.Name]
			if !applies {
				continue
			}
			t.Run(event.name+"/"+k.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := plugtest.NewHome(t, k.Model)
					plugtest.Read(h, h.Device)
					time.Sleep(15 * time.Second)
					event.do(h)
					got := outcome{then: -1}
					got.requests = plugtest.Requests(h.Plug, func() { got.reason = h.Reason(h.Device) })
					time.Sleep(15 * time.Second)
					then := plugtest.Requests(h.Plug, func() {
						if h.Reason(h.Device) == plugtest.OK {
							got.then = 0
						}
					})
					if got.then == 0 {
						got.then = then
					}
					if got != want {
						t.Errorf("%+v, want %+v", got, want)
					}
				})
			})
		}
	}
}

// TestRest: a plug that answers 429 is left alone, for longer each time, over
// reloads and by all its devices; other credentials are tried at once.
func TestRest(t *testing.T) {
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
							t.Errorf("%d requests, %v while it rests", got, time.Since(start))
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

// TestKnownToBeSlow: who is known to be slow is given the time.
func TestKnownToBeSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := plugtest.NewHome(t, simulator.P110)
		h.Plug.Inject(simulator.Fault{Kind: simulator.Slow, Delay: 3 * time.Second})
		plugtest.Read(h, h.Device) // without a deadline
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		got := plugtest.Requests(h.Plug, func() {
			if _, err := h.Device.Read(ctx); err != nil {
				t.Error(err)
			}
		})
		if got != 1 {
			t.Errorf("%d requests", got)
		}
	})
}

// TestBecomesSlow: a plug that has become too slow for half of the time is given
// all of it in the next read.
func TestBecomesSlow(t *testing.T) {
	for _, k := range plugtest.Generations {
		t.Run(k.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := plugtest.NewHome(t, k.Model)
				plugtest.Read(h, h.Device)
				h.Plug.Inject(simulator.Fault{Kind: simulator.Slow, Path: k.Steps[len(k.Steps)-1], Delay: 6 * time.Second})
				for i, want := range []tapo.Reason{tapo.Timeout, plugtest.OK, plugtest.OK} {
					time.Sleep(15 * time.Second)
					if got := h.Reason(h.Device); got != want {
						t.Errorf("read %d: %s", i, got)
					}
				}
			})
		})
	}
}

// TestIdleDuringBackoff: probes that are not passed on keep no connection open.
func TestIdleDuringBackoff(t *testing.T) {
	for _, k := range plugtest.Generations {
		synctest.Test(t, func(t *testing.T) {
			h := plugtest.NewHome(t, k.Model)
			h.Plug.SetCredentials(plugtest.Username, "another")
			for start := time.Now(); time.Since(start) < 14*time.Minute; time.Sleep(15 * time.Second) {
				h.Reason(h.Device)
			}
			if n := h.Plug.OpenConnections(); n != 0 { // the last try was after seven minutes
				t.Errorf("%s: %d connections", k.Name, n)
			}
		})
	}
}

// TestIdleConnection: two minutes after the last read the connection is given
// up, and nothing else.
func TestIdleConnection(t *testing.T) {
	for _, k := range plugtest.Generations {
		t.Run(k.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := plugtest.NewHome(t, k.Model)
				for range 3 {
					plugtest.Read(h, h.Device)
					time.Sleep(119 * time.Second)
					if got := h.Plug.OpenConnections(); got != 1 {
						t.Errorf("%d connections after 119 s", got)
					}
				}
				plugtest.Read(h, h.Device)
				time.Sleep(121 * time.Second)
				if got := h.Plug.OpenConnections(); got != 0 {
					t.Errorf("%d connections after 121 s", got)
				}
				time.Sleep(50 * time.Minute)
				if got := plugtest.Requests(h.Plug, func() { plugtest.Read(h, h.Device) }); got != 1 {
					t.Errorf("%d requests after an hour", got)
				}
			})
		})
	}
}

// TestIdleStrip: so it is with a strip, which is allowed more requests.
func TestIdleStrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := plugtest.NewHome(t, simulator.P316M)
		plugtest.Read(h, h.Device)
		time.Sleep(121 * time.Second)
		if got := h.Plug.OpenConnections(); got != 0 {
			t.Errorf("%d connections after 121 s", got)
		}
	})
}
