// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestConcurrentReads(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{Load: simulator.Constant(60)})
	d := plugtest.Device(t, p)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 5 {
				if _, err := d.Read(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if s := p.Stats(); s.Logins != 1 || s.Requests != 4+39 {
		t.Errorf("%d logins, %d requests", s.Logins, s.Requests)
	}
}

func TestReadWaitsNoLongerThanItsContext(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{})
	d := plugtest.Device(t, p)
	p.Inject(simulator.Fault{Kind: simulator.Hang})
	slow, cancelSlow := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = d.Read(slow)
	}()
	for p.Stats().Connections == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := d.Read(ctx)
	if got := plugtest.ReasonOf(t, err); got != tapo.Timeout {
		t.Errorf("reason %s", got)
	}
	cancelSlow()
	<-done
}

func TestCloseAndUseAgain(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{})
	d := plugtest.Device(t, p)
	plugtest.Read(t, d)
	d.Close()
	if d.Protocol() != "" {
		t.Error("there is a session after Close")
	}
	plugtest.Read(t, d)
	if p.Stats().Logins != 2 {
		t.Errorf("%d logins", p.Stats().Logins)
	}
}

func TestExchangesPerRead(t *testing.T) {
	for _, tc := range []struct {
		model      simulator.Model
		cold, warm int
	}{
		{simulator.P110, 4, 1},
		{simulator.P110NoEmeter, 4, 1},
		{simulator.P110Compatible, 4, 1},
		{simulator.P115, 4, 1},
		{simulator.P105, 4, 1},
		{simulator.P100, 4, 1},
		{simulator.P110Passthrough, 5, 1},
		{simulator.P115Passthrough, 5, 1},
		{simulator.P100Passthrough, 5, 1},
		{simulator.P110Old, 7, 1}, // two logins: it takes version 1 only
	} {
		t.Run(tc.model.Name+" "+tc.model.Firmware, func(t *testing.T) {
			p := plugtest.Start(t, &simulator.Plug{Model: tc.model, Load: simulator.Constant(60)})
			d := plugtest.Device(t, p)
			if got := plugtest.Requests(p, func() { plugtest.Read(t, d) }); got != tc.cold {
				t.Errorf("cold: %d round trips, want %d", got, tc.cold)
			}
			for range 3 {
				if got := plugtest.Requests(p, func() { plugtest.Read(t, d) }); got != tc.warm {
					t.Errorf("warm: %d round trips, want %d", got, tc.warm)
				}
			}
			if got := p.Stats().Logins; got != 1 {
				t.Errorf("%d logins, want 1", got)
			}
		})
	}
}

// TestReadAfterEvents has what happens to plugs between two reads: the outcome of
// the next read, what it takes in requests, and what the one after it takes.
func TestReadAfterEvents(t *testing.T) {
	t.Parallel()
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
			map[string]outcome{"klap": {plugtest.OK, 4, 1}, "tpap": {plugtest.OK, 5, 1}, "passthrough": {plugtest.OK, 4, 1}},
		},
		{
			"power cut, port closed until woken", func(h *plugtest.Home) {
				if err := h.Plug.Sleep(); err != nil {
					h.Fatal(err)
				}
			},
			map[string]outcome{"klap": {plugtest.OK, 4, 1}, "tpap": {plugtest.OK, 5, 1}, "passthrough": {plugtest.OK, 4, 1}},
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
			map[string]outcome{"klap": {plugtest.OK, 4, 1}, "tpap": {plugtest.OK, 5, 1}, "passthrough": {plugtest.OK, 4, 1}},
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
			map[string]outcome{"klap": {plugtest.OK, 5, 1}, "tpap": {plugtest.OK, 6, 1}, "passthrough": {plugtest.OK, 7, 1}},
		},
		{
			"firmware with TPAP", func(h *plugtest.Home) { h.Plug.SetModel(simulator.P110TPAP) },
			map[string]outcome{"klap": {plugtest.OK, 7, 1}, "tpap": {plugtest.OK, 5, 1}, "passthrough": {plugtest.OK, 7, 1}},
		},
		{
			"the compatibility switch goes on", func(h *plugtest.Home) { h.Plug.SetCompatibility(true) },
			map[string]outcome{"tpap": {plugtest.OK, 5, 1}},
		},
		{
			"the password changes", func(h *plugtest.Home) { h.Plug.SetCredentials(plugtest.Username, "another") },
			map[string]outcome{"klap": {tapo.BadCredentials, 2, -1}, "tpap": {tapo.BadCredentials, 4, -1}, "passthrough": {tapo.BadCredentials, 3, -1}},
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

// TestSlowPlugIsGivenTime: a plug that has been slow before may take all of the time.
func TestSlowPlugIsGivenTime(t *testing.T) {
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

// TestSlowedPlugIsGivenTime: a plug that has become too slow for half of the time
// is given all of it in the next read.
func TestSlowedPlugIsGivenTime(t *testing.T) {
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

// TestIdleDuringBackoff: probes that are not passed on keep no connection open. A plug
// that speaks TPAP is asked by each whether it is still the same one.
func TestIdleDuringBackoff(t *testing.T) {
	t.Parallel()
	for _, k := range plugtest.Generations {
		synctest.Test(t, func(t *testing.T) {
			h := plugtest.NewHome(t, k.Model)
			h.Plug.SetCredentials(plugtest.Username, "another")
			for start := time.Now(); time.Since(start) < 14*time.Minute; time.Sleep(15 * time.Second) {
				h.Reason(h.Device)
			}
			want := 0 // the last try was after seven minutes
			if k.Model.Protocol == simulator.TPAP {
				want = 1
			}
			if n := h.Plug.OpenConnections(); n != want {
				t.Errorf("%s: %d connections, want %d", k.Name, n, want)
			}
		})
	}
}

// TestRivalClient logs in between any two of our reads.
func TestRivalClient(t *testing.T) {
	t.Parallel()
	for _, m := range []simulator.Model{simulator.P110, simulator.P110Passthrough} {
		p := plugtest.Start(t, &simulator.Plug{Model: m})
		ours, rival := plugtest.Device(t, p), plugtest.Device(t, p)
		plugtest.Read(t, ours)
		for range 5 {
			plugtest.Read(t, rival)
			if got := plugtest.Requests(p, func() { plugtest.Read(t, ours) }); got != 4 {
				t.Errorf("%s: %d requests, want 4", m.Protocol, got)
			}
		}
	}
}
