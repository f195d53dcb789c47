// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
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
		do   func(h *home)
		want map[string]outcome // by kind
	}{
		{"nothing", func(*home) {}, map[string]outcome{"klap": {ok, 1, 1}, "tpap": {ok, 1, 1}, "passthrough": {ok, 1, 1}}},
		{
			"it restarts", func(h *home) { h.plug.LoseSession() },
			map[string]outcome{"klap": {ok, 4, 1}, "tpap": {ok, 4, 1}, "passthrough": {ok, 4, 1}},
		},
		{
			"power cut, port closed until woken", func(h *home) {
				if err := h.plug.Sleep(); err != nil {
					h.Fatal(err)
				}
			},
			map[string]outcome{"klap": {ok, 4, 1}, "tpap": {ok, 4, 1}, "passthrough": {ok, 4, 1}},
		},
		{
			"a rival logs in", func(h *home) { read(h, h.newDevice()) },
			map[string]outcome{"klap": {ok, 4, 1}, "tpap": {ok, 1, 1}, "passthrough": {ok, 4, 1}}, // TPAP plugs keep some sessions
		},
		{
			"four rivals log in", func(h *home) {
				for range 4 {
					read(h, h.newDevice())
				}
			},
			map[string]outcome{"klap": {ok, 4, 1}, "tpap": {ok, 4, 1}, "passthrough": {ok, 4, 1}},
		},
		{
			"connections closed", func(h *home) { h.plug.CloseConnections() },
			map[string]outcome{"klap": {ok, 1, 1}, "tpap": {ok, 1, 1}, "passthrough": {ok, 1, 1}},
		},
		{
			"a method refused from now on, at which a batch ends", func(h *home) { h.plug.Refuse("get_emeter_data", -1002) },
			map[string]outcome{"klap": {ok, 2, 1}, "tpap": {ok, 2, 1}, "passthrough": {ok, 1, 1}}, // the last has no such method
		},
		{
			"its clock goes to the year 2000", func(h *home) { h.plug.SetClock(time.Until(time.Date(2000, 1, 1, 0, 30, 0, 0, time.UTC))) },
			map[string]outcome{"klap": {ok, 1, 1}, "tpap": {ok, 1, 1}, "passthrough": {ok, 1, 1}},
		},
		{
			"another model comes to its address", func(h *home) { h.plug.SetModel(simulator.P105) },
			map[string]outcome{"klap": {ok, 5, 1}, "tpap": {ok, 7, 1}, "passthrough": {ok, 7, 1}},
		},
		{
			"firmware with TPAP", func(h *home) { h.plug.SetModel(simulator.P110TPAP) },
			map[string]outcome{"klap": {ok, 7, 1}, "tpap": {ok, 4, 1}, "passthrough": {ok, 7, 1}},
		},
		{
			"the compatibility switch goes on", func(h *home) { h.plug.SetCompatibility(true) },
			map[string]outcome{"tpap": {ok, 6, 1}},
		},
		{
			"the password changes", func(h *home) { h.plug.SetCredentials(username, "another") },
			map[string]outcome{"klap": {tapo.BadCredentials, 2, -1}, "tpap": {tapo.BadCredentials, 3, -1}, "passthrough": {tapo.BadCredentials, 3, -1}},
		},
	} {
		for _, k := range kinds {
			want, applies := event.want[k.name]
			if !applies {
				continue
			}
			t.Run(event.name+"/"+k.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHome(t, k.model)
					read(h, h.device)
					time.Sleep(15 * time.Second)
					event.do(h)
					got := outcome{then: -1}
					got.requests = requests(h.plug, func() { got.reason = h.reason(h.device) })
					time.Sleep(15 * time.Second)
					then := requests(h.plug, func() {
						if h.reason(h.device) == ok {
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

// TestReplacedPlug: what was learnt of the plug before is not told of the next,
// which is asked for all that it has at once.
func TestReplacedPlug(t *testing.T) {
	for _, k := range kinds {
		for _, models := range [][2]simulator.Model{{k.model, simulator.P105}, {simulator.P105, k.model}, {simulator.P110Compatible, k.model}} {
			synctest.Test(t, func(t *testing.T) {
				h := newHome(t, models[0])
				read(h, h.device)
				if k.model.Protocol == simulator.Passthrough && models[1].Name == k.model.Name {
					return // nobody is talked down to that
				}
				h.plug.SetModel(models[1])
				metered := models[1].Name != "P105"
				for range 2 {
					time.Sleep(15 * time.Second)
					r, err := h.read(h.device)
					if err != nil {
						t.Fatal(err)
					}
					o := r.Outlets[0]
					_, power := o.Power.Get()
					_, energy := o.EnergyMonth.Get()
					_, limit := o.PowerLimit.Get()
					if r.Info.Model != models[1].Name || power != metered || energy != metered || limit != metered {
						t.Errorf("%s by %s: %+v", models[0].Name, models[1].Name, r)
					}
				}
			})
		}
	}
}

// TestWrongClock: a plug in the year 2000 tells its power, and no energies.
func TestWrongClock(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome(t, k.model)
				h.plug.SetClock(time.Until(time.Date(2000, 1, 1, 0, 30, 0, 0, time.UTC)))
				r, err := h.read(h.device)
				if err != nil {
					t.Fatal(err)
				}
				o := r.Outlets[0]
				offset, known := r.ClockOffset.Get()
				if !known || time.Now().Add(offset).UTC().Year() != 2000 || o.Power != tapo.Some(60.0) {
					t.Errorf("offset %v, power %v", offset, o.Power)
				}
				if none := (tapo.Optional[float64]{}); o.EnergyToday != none || o.EnergyMonth != none {
					t.Errorf("energies %v %v", o.EnergyToday, o.EnergyMonth)
				}
			})
		})
	}
}

// TestRest: a plug that answers 429 is left alone, for longer each time, over
// reloads and by all its devices; other credentials are tried at once.
func TestRest(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome(t, k.model)
				guard := tapo.NewGuard("192.0.2.1:80", nil)
				make := func(c tapo.Credentials) *tapo.Device {
					return device(t, h.plug, func(cfg *tapo.Config) {
						cfg.DialContext, cfg.Guard, cfg.Credentials = h.network.DialContext, guard, c
					})
				}
				d, other := make(credentials), make(credentials)
				read(h, d)
				h.plug.Inject(simulator.Fault{Kind: simulator.Status, Status: 429})
				for _, seconds := range []int{10, 20, 40, 80, 160, 300, 300} {
					if got := requests(h.plug, func() { h.reason(d) }); got != 1 {
						t.Errorf("%d requests", got)
					}
					reloaded := make(credentials)
					reloaded.Replace(d)
					d = reloaded
					time.Sleep(time.Duration(seconds)*time.Second - time.Millisecond)
					for _, d := range []*tapo.Device{d, other} {
						start := time.Now()
						if got := requests(h.plug, func() { h.reason(d) }); got != 0 || time.Since(start) > 0 {
							t.Errorf("%d requests, %v while it rests", got, time.Since(start))
						}
					}
					time.Sleep(time.Millisecond)
				}
				h.reason(d)
				h.plug.Heal()
				changed := make(tapo.Credentials{Username: username, Password: "another"})
				changed.Replace(d)
				if got := h.reason(changed); got != tapo.BadCredentials {
					t.Errorf("changed credentials: %s", got)
				}

				for range 2 { // a read that succeeds sets the wait back
					h.plug.Inject(simulator.Fault{Kind: simulator.Status, Status: 429, Times: 1})
					h.reason(other)
					time.Sleep(10 * time.Second)
					if got := h.reason(other); got != ok {
						t.Errorf("after 10 s: %s", got)
					}
				}
			})
		})
	}
}

// TestWakeUp: a refused connection gets one discovery probe, and another try a
// second later if there is time.
func TestWakeUp(t *testing.T) {
	for _, tc := range []struct {
		name    string
		timeout time.Duration
		closed  bool // for good
		want    tapo.Reason
		took    time.Duration
		probes  int
	}{
		{"woken", 10 * time.Second, false, ok, 1100 * time.Millisecond, 1},
		{"no deadline", 0, false, ok, 1100 * time.Millisecond, 1},
		{"not woken", 10 * time.Second, true, tapo.Unreachable, time.Second, 1},
		{"no time", 1900 * time.Millisecond, false, tapo.Unreachable, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome(t, simulator.P110)
				if err := h.plug.Sleep(); err != nil {
					t.Fatal(err)
				}
				if tc.closed {
					h.plug.Close()
				}
				ctx, cancel := t.Context(), func() {}
				if tc.timeout > 0 {
					ctx, cancel = context.WithTimeout(ctx, tc.timeout)
				}
				defer cancel()
				start := time.Now()
				_, err := h.device.Read(ctx)
				if got := h.reasonOf(err); got != tc.want || time.Since(start) != tc.took {
					t.Errorf("%s after %v, want %s after %v", got, time.Since(start), tc.want, tc.took)
				}
				if got := h.plug.Stats().Datagrams; got != tc.probes {
					t.Errorf("%d datagrams", got)
				}
			})
		})
	}
}

// TestKnownToBeSlow: who is known to be slow is given the time.
func TestKnownToBeSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t, simulator.P110)
		h.plug.Inject(simulator.Fault{Kind: simulator.Slow, Delay: 3 * time.Second})
		read(h, h.device) // without a deadline
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		got := requests(h.plug, func() {
			if _, err := h.device.Read(ctx); err != nil {
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
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome(t, k.model)
				read(h, h.device)
				h.plug.Inject(simulator.Fault{Kind: simulator.Slow, Path: k.steps[len(k.steps)-1], Delay: 6 * time.Second})
				for i, want := range []tapo.Reason{tapo.Timeout, ok, ok} {
					time.Sleep(15 * time.Second)
					if got := h.reason(h.device); got != want {
						t.Errorf("read %d: %s", i, got)
					}
				}
			})
		})
	}
}

// TestProofNeedsTime: a proof is not sent whose answer might come too late.
func TestProofNeedsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t, simulator.P110TPAP) // which takes 25 ms
		for _, timeout := range []time.Duration{500 * time.Millisecond, time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			_, err := h.device.Read(ctx)
			cancel()
			if got := h.reasonOf(err); got != tapo.Timeout {
				t.Errorf("%v: %s", timeout, got)
			}
		}
		if n := h.plug.Stats().Steps["pake_share"]; n != 0 {
			t.Errorf("%d proofs", n)
		}
		if got := h.reason(h.device); got != ok {
			t.Errorf("with more time: %s", got)
		}
	})
}

// TestIdleDuringBackoff: probes that are not passed on keep no connection open.
func TestIdleDuringBackoff(t *testing.T) {
	for _, k := range kinds {
		synctest.Test(t, func(t *testing.T) {
			h := newHome(t, k.model)
			h.plug.SetCredentials(username, "another")
			for start := time.Now(); time.Since(start) < 14*time.Minute; time.Sleep(15 * time.Second) {
				h.reason(h.device)
			}
			if n := h.plug.OpenConnections(); n != 0 { // the last try was after seven minutes
				t.Errorf("%s: %d connections", k.name, n)
			}
		})
	}
}

// TestIdleConnection: two minutes after the last read the connection is given
// up, and nothing else.
func TestIdleConnection(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome(t, k.model)
				for range 3 {
					read(h, h.device)
					time.Sleep(119 * time.Second)
					if got := h.plug.OpenConnections(); got != 1 {
						t.Errorf("%d connections after 119 s", got)
					}
				}
				read(h, h.device)
				time.Sleep(121 * time.Second)
				if got := h.plug.OpenConnections(); got != 0 {
					t.Errorf("%d connections after 121 s", got)
				}
				time.Sleep(50 * time.Minute)
				if got := requests(h.plug, func() { read(h, h.device) }); got != 1 {
					t.Errorf("%d requests after an hour", got)
				}
			})
		})
	}
}

// TestIdleStrip: so it is with a strip, which is allowed more requests.
func TestIdleStrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t, simulator.P316M)
		read(h, h.device)
		time.Sleep(121 * time.Second)
		if got := h.plug.OpenConnections(); got != 0 {
			t.Errorf("%d connections after 121 s", got)
		}
	})
}
