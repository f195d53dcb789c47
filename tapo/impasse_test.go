// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// oddDiscover makes a plug reply to discover as if it had never heard of it.
var oddDiscover = simulator.Fault{Kind: simulator.HTML, Path: "discover"}

// impasses are plugs without a usable transport, what a first read of each costs, and what
// makes them usable.
var impasses = []struct {
	name   string
	model  simulator.Model
	odd    bool // discover
	pake   []int
	config func(*tapo.Config)
	want   tapo.Reason
	first  int
	cure   func(*simulator.Plug)
	cured  int // requests of the read after it
}{
	{
		name: "403, and no TPAP", model: simulator.P110TPAP, odd: true, want: tapo.LocalAccessRefused, first: 4,
		cure: func(p *simulator.Plug) { p.SetCompatibility(true) }, cured: 4,
	},
	{
		name: "passthrough is not allowed", model: simulator.P110Passthrough, want: tapo.PassthroughNotAllowed, first: 3,
		config: func(c *tapo.Config) { c.AllowPassthrough = false },
		cure:   func(p *simulator.Plug) { p.SetModel(simulator.P110) }, cured: 4,
	},
	{
		name: "a variant of TPAP that is not supported", model: simulator.P110TPAP, pake: []int{7}, want: tapo.Unsupported, first: 2,
		cure: func(p *simulator.Plug) { p.SetCompatibility(true) }, cured: 5,
	},
	{
		name: "pinned to KLAP", model: simulator.P110TPAP, want: tapo.Unsupported, first: 2,
		config: func(c *tapo.Config) { c.Protocol = tapo.KLAP },
		cure:   func(p *simulator.Plug) { p.SetCompatibility(true) }, cured: 4,
	},
	{
		name: "pinned to TPAP", model: simulator.P110, want: tapo.Unsupported, first: 1,
		config: func(c *tapo.Config) { c.Protocol = tapo.TPAP },
		cure:   func(p *simulator.Plug) { p.SetModel(simulator.P110TPAP) }, cured: 5,
	},
	{
		name: "pinned to passthrough", model: simulator.P110, want: tapo.Unsupported, first: 1,
		config: func(c *tapo.Config) { c.Protocol = tapo.Passthrough },
		cure:   func(p *simulator.Plug) { p.SetModel(simulator.P110Passthrough) }, cured: 4,
	},
}

// TestImpasse: a plug without a usable transport is asked one question in each read, and
// all of them once a minute. The first read after the cure succeeds.
func TestImpasse(t *testing.T) {
	for _, tc := range impasses {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := plugtest.StartHome(t, &simulator.Plug{Model: tc.model, TPAP: simulator.TPAPOptions{Pake: tc.pake}})
				if tc.odd {
					h.Plug.Inject(oddDiscover)
				}
				config := func(c *tapo.Config) {
					if tc.config != nil {
						tc.config(c)
					}
				}
				h.Device = h.NewDevice(config)
				for i := range 102 {
					want := 1
					if i%4 == 0 { // a minute since the last walk
						want = tc.first
					}
					got := plugtest.Requests(h.Plug, func() {
						if reason, e := h.Probe(); reason != tc.want {
							t.Fatalf("read %d: %v", i, e)
						}
					})
					if got != want {
						t.Fatalf("read %d: %d requests, want %d", i, got, want)
					}
					time.Sleep(15 * time.Second)
				}
				same := h.NewDevice(config) // a reload begins anew
				same.Replace(h.Device)
				if got := plugtest.Requests(h.Plug, func() { h.Reason(same) }); got != tc.first {
					t.Errorf("after a reload: %d requests, want %d", got, tc.first)
				}
				h.Reason(same)
				tc.cure(h.Plug)
				got := plugtest.Requests(h.Plug, func() {
					if reason := h.Reason(same); reason != plugtest.OK {
						t.Errorf("after the cure: %s", reason)
					}
				})
				if got != tc.cured {
					t.Errorf("after the cure: %d requests, want %d", got, tc.cured)
				}
			})
		})
	}
}

// TestImpasseEndsWithinAMinute: a cure that does not show in the question is noticed within
// a minute.
func TestImpasseEndsWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := plugtest.NewHome(t, simulator.P110TPAP)
		h.Plug.Inject(oddDiscover)
		h.Poll(10*time.Minute + time.Second)
		h.Plug.Heal()
		if seen := h.Poll(time.Minute + 15*time.Second); seen[plugtest.OK] == 0 {
			t.Errorf("reasons %v", seen)
		}
	})
}

// TestNetworkAtAnImpasse: a failure of the network says so, and is none that stands.
func TestNetworkAtAnImpasse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := plugtest.NewHome(t, simulator.P110TPAP)
		h.Plug.Inject(oddDiscover)
		h.Reason(h.Device)
		var reasons []tapo.Reason
		for _, kind := range []simulator.FaultKind{simulator.Reset, simulator.Hang, simulator.Garble, simulator.None} {
			h.Plug.Heal()
			h.Plug.Inject(simulator.Fault{Kind: kind, Path: "/app/handshake1"})
			h.Plug.Inject(oddDiscover)
			reasons = append(reasons, h.Reason(h.Device))
		}
		if got := fmt.Sprint(reasons); got != "[unreachable timeout bad_reply local_access_refused]" {
			t.Errorf("reasons %s", got)
		}
	})
}

// TestOneOddReply: a plug that refuses KLAP and replies to discover as no plug does is
// asked that again at once.
func TestOneOddReply(t *testing.T) {
	p := tpapPlug()
	h := plugtest.Start(t, p)
	h.Inject(simulator.Fault{Kind: simulator.HTML, Path: "discover", Times: 1})
	if got := plugtest.Requests(p, func() { plugtest.Read(t, plugtest.Device(t, p)) }); got != 7 {
		t.Errorf("%d requests", got)
	}
}

// TestLockedAtAnImpasse: a plug that says so in reply to the one question is left alone.
func TestLockedAtAnImpasse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := plugtest.StartHome(t, &simulator.Plug{Model: simulator.P110TPAP, TPAP: simulator.TPAPOptions{Pake: []int{7}}})
		h.Device = h.NewDevice()
		h.Reason(h.Device)
		h.Plug.Inject(simulator.Fault{Kind: simulator.Code, Code: -2101, Path: "discover"})
		if got := h.Reason(h.Device); got != tapo.Locked {
			t.Errorf("reason %s", got)
		}
		if got := plugtest.Requests(h.Plug, func() { h.Poll(29 * time.Minute) }); got != 0 {
			t.Errorf("%d requests during the lock", got)
		}
	})
}

// TestUnsupportedHashes: a plug that proves to have the account, in a way that cannot be
// used, is asked for its proof again, which shows another account at once.
func TestUnsupportedHashes(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{KLAPVersion1: true})
	d := plugtest.Device(t, p)
	plugtest.Fails(t, d, tapo.Unsupported)
	for range 3 {
		before := p.Stats()
		plugtest.Fails(t, d, tapo.Unsupported)
		if after := p.Stats(); after.Requests != before.Requests+1 || after.Steps["/app/handshake1"] != before.Steps["/app/handshake1"]+1 {
			t.Errorf("steps %v, and then %v", before.Steps, after.Steps)
		}
	}
	p.SetCredentials(plugtest.Username, "another")
	plugtest.Fails(t, d, tapo.BadCredentials)
}

// TestFailuresAreCounted: a failure that stands is one in each read.
func TestFailuresAreCounted(t *testing.T) {
	p := plugtest.Start(t, tpapPlug())
	p.Inject(oddDiscover)
	failed := 0
	d := plugtest.Device(t, p, func(c *tapo.Config) {
		c.Trace.LoginFailed = func(tapo.Protocol, tapo.Reason) { failed++ }
	})
	for range 3 {
		plugtest.Fails(t, d, tapo.LocalAccessRefused)
	}
	if failed != 3 {
		t.Errorf("%d failures", failed)
	}
}
