// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// strip starts a strip whose sockets draw 10 W, 20 W and so on, the second
// switched off.
func strip(t *testing.T, m simulator.Model) *simulator.Plug {
	t.Helper()
	p := &simulator.Plug{Model: m}
	for i := range m.Strip.Outlets {
		p.Outlets = append(p.Outlets, simulator.Outlet{Name: fmt.Sprintf("Outlet № %d", i+1), Load: simulator.Constant(10 * (i + 1)), Off: i == 1})
	}
	return plugtest.Start(t, p)
}

// TestStrips reads every strip, and counts what that takes: one exchange for the
// strip, and one for each socket with a meter.
func TestStrips(t *testing.T) {
	for _, tc := range []struct {
		model      simulator.Model
		metered    bool
		cold, warm int
	}{
		{simulator.P300First, false, 7, 2}, // it takes no second batch
		{simulator.P300, false, 5, 1},
		{simulator.P300Reversed, false, 5, 1},
		{simulator.P304M, true, 10, 5}, // the first socket says that it knows no get_emeter_data
		{simulator.P306, false, 5, 1},
		{simulator.P316M, true, 11, 7},
		{simulator.P210M, true, 7, 3},
		{simulator.TP25, false, 6, 1},
		{simulator.EP40M, false, 5, 1},
	} {
		t.Run(tc.model.Name+" "+tc.model.Firmware, func(t *testing.T) {
			p := strip(t, tc.model)
			d := plugtest.Device(t, p)
			var r tapo.Reading
			if got := plugtest.Requests(p, func() { r = plugtest.Read(t, d) }); got != tc.cold {
				t.Errorf("cold: %d round trips, want %d", got, tc.cold)
			}
			checkOutlets(t, r, tc.model, tc.metered)
			for range 3 {
				if got := plugtest.Requests(p, func() { r = plugtest.Read(t, d) }); got != tc.warm {
					t.Errorf("warm: %d round trips, want %d", got, tc.warm)
				}
				checkOutlets(t, r, tc.model, tc.metered)
			}
			p.LoseSession()
			checkOutlets(t, plugtest.Read(t, d), tc.model, tc.metered)
			p.SetOutlet(2, true)
			if on, _ := plugtest.Read(t, d).Outlets[1].On.Get(); !on {
				t.Error("socket 2 was switched on")
			}
		})
	}
}

func checkOutlets(t *testing.T, r tapo.Reading, m simulator.Model, metered bool) {
	t.Helper()
	if len(r.Outlets) != m.Strip.Outlets {
		t.Fatalf("%d sockets: %+v", len(r.Outlets), r.Outlets)
	}
	for i, o := range r.Outlets {
		on, watts := i != 1, float64(10*(i+1))
		if !on {
			watts = 0
		}
		if o.Number != i+1 || o.Name != fmt.Sprintf("Outlet № %d", i+1) || o.On != tapo.Some(on) {
			t.Errorf("socket %d: %+v", i+1, o)
		}
		_, hasEnergy := o.EnergyMonth.Get()
		_, hasVoltage := o.Voltage.Get()
		power, hasPower := o.Power.Get()
		_, hasLimit := o.PowerLimit.Get()
		if hasEnergy != metered || hasPower != metered || power != watts*map[bool]float64{true: 1}[metered] || hasVoltage != m.Strip.Emeter || hasLimit != metered {
			t.Errorf("socket %d: energy %t, power %v %t, voltage %t, limit %t", i+1, hasEnergy, power, hasPower, hasVoltage, hasLimit)
		}
	}
	if r.Info.Model != m.Name || r.Info.Name != "" {
		t.Errorf("%+v", r.Info)
	}
	if _, known := r.ClockOffset.Get(); known != metered {
		t.Errorf("clock %v", r.ClockOffset)
	}
}

// TestStripThatHangs: P300 1.0.7 is read although it hangs on batches, by
// every read.
func TestStripThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := plugtest.NewHome(t, simulator.P300First)
		for range 3 {
			if got := h.Reason(h.Device); got != plugtest.OK {
				t.Error(got)
			}
			h.Plug.LoseSession()
		}
	})
}

// TestHangingBatches: another plug that hangs on batches is found out within the
// probe, and left alone with them for ten minutes, and then for a day.
func TestHangingBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := simulator.P110
		m.HangsOnBatches = true
		h := plugtest.NewHome(t, m)
		h.Reason(h.Device) // the first batch of all is answered
		probe := func(after time.Duration, works bool, most int) {
			t.Helper()
			time.Sleep(after)
			before := h.Plug.Stats().Requests
			if got, took := h.Reason(h.Device), h.Plug.Stats().Requests-before; (got == plugtest.OK) != works || took > most {
				t.Errorf("%s after %d requests, want %t after %d", got, took, works, most)
			}
		}
		probe(15*time.Second, false, 6) // it may be slow
		probe(15*time.Second, false, 6) // or not
		for range 30 {
			probe(15*time.Second, true, 5)
		}
		probe(10*time.Minute, false, 6) // it may have been the network
		for range 23 {
			probe(time.Hour, true, 5)
		}
	})
}

// TestPages: what does not fit in one reply is asked for, once.
func TestPages(t *testing.T) {
	m := simulator.P316M
	m.Strip = &simulator.Strip{Outlets: 13, Components: m.Strip.Components, Emeter: true, NoPower: true, Reversed: true}
	p := strip(t, m)
	d := plugtest.Device(t, p)
	if got, want := plugtest.Requests(p, func() { checkOutlets(t, plugtest.Read(t, d), m, true) }), 3+2+2+13; got != want {
		t.Errorf("cold: %d round trips, want %d", got, want)
	}
	if got, want := plugtest.Requests(p, func() { checkOutlets(t, plugtest.Read(t, d), m, true) }), 2+13; got != want {
		t.Errorf("warm: %d round trips, want %d", got, want)
	}
}

// TestOtherDevices have what they give, and never fail.
func TestOtherDevices(t *testing.T) {
	for _, tc := range []struct {
		model   simulator.Model
		outlets int
	}{
		{simulator.L530, 1}, {simulator.L900, 1}, {simulator.S505, 1}, {simulator.H100, 0},
	} {
		p := plugtest.Start(t, &simulator.Plug{Model: tc.model, Name: "Thing"})
		d := plugtest.Device(t, p)
		for range 2 {
			r := plugtest.Read(t, d)
			if len(r.Outlets) != tc.outlets || r.Info.Model != tc.model.Name {
				t.Errorf("%s: %+v", tc.model.Name, r)
			}
			for _, o := range r.Outlets {
				if o.On != tapo.Some(true) || o.Power != (tapo.Optional[float64]{}) {
					t.Errorf("%s: %+v", tc.model.Name, o)
				}
			}
		}
		if got := p.Stats().Methods["get_child_device_list"]; got != 0 {
			t.Errorf("%s: asked for sockets %d times", tc.model.Name, got)
		}
	}
}

// child is an entry of a list of sockets.
func child(id, members string) string {
	if members != "" {
		members = "," + members
	}
	return fmt.Sprintf(`{"device_id":%q,"category":"plug.powerstrip.sub-plug","device_on":true%s}`, id, members)
}

// TestOddLists: whatever a strip lists, every socket has a number of its own.
func TestOddLists(t *testing.T) {
	name := func(s string) string { return `"nickname":"` + base64.StdEncoding.EncodeToString([]byte(s)) + `"` }
	for _, tc := range []struct {
		name string
		list []string
		want string // numbers and names
	}{
		{"no order", []string{child("x", `"position":3,`+name("c")), child("y", `"position":1,`+name("a")), child("z", `"position":2,`+name("b"))}, "1 a, 2 b, 3 c"},
		{"no positions", []string{child("y", name("b")), child("x", name("a"))}, "1 a, 2 b"},
		{"one without a position", []string{child("x", name("b")), child("y", `"position":1,`+name("a")), child("z", `"position":3,`+name("c"))}, "1 a, 2 b, 3 c"},
		{"a position twice", []string{child("y", `"position":1,`+name("b")), child("x", `"position":1,`+name("a")), child("z", `"position":2,`+name("c"))}, "1 a, 2 c, 3 b"},
		{"positions that are none", []string{child("a", `"position":0`), child("b", `"position":-1`), child("c", `"position":1.5`), child("d", `"position":1e9`), child("e", `"position":"x"`), child("f", `"position":null`)}, "1 , 2 , 3 , 4 , 5 , 6 "},
		{"a position as a string", []string{child("a", `"position":"2"`), child("b", `"position":1`)}, "1 , 2 "},
		{"the same twice", []string{child("a", `"position":1`), child("a", `"position":1`), child("a", `"position":2`)}, "1 "},
		{"no ids", []string{child("", `"position":2,`+name("b")), child("", `"position":1,`+name("a"))}, "1 a, 2 b"},
		{"nothing", nil, ""},
		{"not objects", []string{"5", `"x"`, "null", "[]", child("a", `"position":4,`+name("d"))}, "4 d"},
		{"sensors", []string{`{"device_id":"s","category":"subg.trigger.motion-sensor"}`, child("a", `"position":1`)}, "1 "},
		{"no category", []string{`{"device_id":"s","position":7}`}, "7 "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := strip(t, simulator.P300)
			p.Answer("get_child_device_list", fmt.Sprintf(`{"child_device_list":[%s],"start_index":0,"sum":%d}`, strings.Join(tc.list, ","), len(tc.list)))
			d := plugtest.Device(t, p)
			for range 2 {
				var got []string
				for _, o := range plugtest.Read(t, d).Outlets {
					got = append(got, fmt.Sprint(o.Number, " ", o.Name))
				}
				if got := strings.Join(got, ", "); got != tc.want {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			}
		})
	}
}

// TestOddSums: a list that says that there is more than there is ends all the
// same, and one that is refused or damaged leaves a strip that was read.
func TestOddSums(t *testing.T) {
	one := `{"child_device_list":[` + child("a", `"position":1`) + `],"start_index":0,"sum":`
	for list, most := range map[string]int{
		one + `1}`: 1, one + `1000000}`: 70, one + `-1}`: 1, one + `null}`: 1, one + `"x"}`: 1,
		`{"child_device_list":[],"sum":5}`: 2, `{"child_device_list":null,"sum":5}`: 2, `{}`: 1, `[]`: 1, `null`: 1,
	} {
		p := strip(t, simulator.P300)
		p.Answer("get_child_device_list", list)
		d := plugtest.Device(t, p)
		plugtest.Read(t, d)
		if got := plugtest.Requests(p, func() { plugtest.Read(t, d) }); got > min(most, 8) {
			t.Errorf("%s: %d round trips", list, got)
		}
	}
	for _, code := range []int{-1, -1001, -1002, -1008, -1301} {
		p := strip(t, simulator.P300)
		p.Refuse("get_child_device_list", code)
		if r := plugtest.Read(t, plugtest.Device(t, p)); len(r.Outlets) != 0 || r.Info.Model != "P300" {
			t.Errorf("code %d: %+v", code, r)
		}
	}
}

// TestSocketsThatRefuse leave the values of the others alone.
func TestSocketsThatRefuse(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P304M, simulator.P316M} {
		p := strip(t, m)
		for _, method := range []string{"get_energy_usage", "get_emeter_data", "get_current_power", "get_protection_power"} {
			p.Refuse("3/"+method, -1001)
		}
		d := plugtest.Device(t, p)
		for range 3 {
			for i, o := range plugtest.Read(t, d).Outlets {
				if _, has := o.Power.Get(); has != (i != 2) || o.On != tapo.Some(i != 1) {
					t.Errorf("%s socket %d: power %v, on %v", m.Name, i+1, o.Power, o.On)
				}
			}
		}
	}
	p := strip(t, simulator.P210M)
	p.Refuse("control_child", -1301) // all of them, for now
	d := plugtest.Device(t, p)
	for _, o := range plugtest.Read(t, d).Outlets {
		if _, has := o.Power.Get(); has {
			t.Errorf("%+v", o)
		}
	}
	p.Refuse("control_child", 0)
	for _, o := range plugtest.Read(t, d).Outlets {
		if _, has := o.Power.Get(); !has {
			t.Errorf("%+v", o)
		}
	}
}

// TestSocketsWithoutBatches: where control_child takes no batch the methods are
// asked one by one, from then on.
func TestSocketsWithoutBatches(t *testing.T) {
	p := strip(t, simulator.P316M)
	for i := range 6 {
		p.Refuse(fmt.Sprintf("%d/multipleRequest", i+1), -1003)
	}
	d := plugtest.Device(t, p)
	if got, want := plugtest.Requests(p, func() { plugtest.Read(t, d) }), 8+2+6*2; got != want { // the bound: the rest waits for the next read
		t.Errorf("cold: %d round trips, want %d", got, want)
	}
	for _, want := range []int{1 + 6*2 + 1, 1 + 6*2} {
		if got := plugtest.Requests(p, func() { checkOutlets(t, plugtest.Read(t, d), simulator.P316M, true) }); got != want {
			t.Errorf("warm: %d round trips, want %d", got, want)
		}
	}

	p = strip(t, simulator.P316M)
	p.Refuse("2/multipleRequest", -1002) // one socket alone
	d = plugtest.Device(t, p)
	plugtest.Read(t, d)
	if got, want := plugtest.Requests(p, func() { checkOutlets(t, plugtest.Read(t, d), simulator.P316M, true) }), 1+5+2; got != want {
		t.Errorf("one: %d round trips, want %d", got, want)
	}
}

// TestReplacedStrip: a strip with other sockets, and a plug, at the address of a
// strip.
func TestReplacedStrip(t *testing.T) {
	p := strip(t, simulator.P304M)
	d := plugtest.Device(t, p)
	plugtest.Read(t, d)
	p.SetModel(simulator.P306)
	if got := plugtest.Read(t, d); len(got.Outlets) != 5 {
		t.Errorf("%+v", got)
	}
	p.SetModel(simulator.P110)
	if got := plugtest.Read(t, d); len(got.Outlets) != 1 || got.Outlets[0].Power == (tapo.Optional[float64]{}) {
		t.Errorf("%+v", got)
	}
	p.SetModel(simulator.P316M)
	if got := plugtest.Read(t, d); len(got.Outlets) != 6 {
		t.Errorf("%+v", got)
	}
}

// TestStripFaults: whatever goes wrong with one of a strip's requests is mended
// in the same read, within the bound for its sockets.
func TestStripFaults(t *testing.T) {
	for _, kind := range []simulator.FaultKind{simulator.LoseSession, simulator.Reset, simulator.BadSignature, simulator.CloseAfterReply, simulator.Hang} {
		for skip := range 5 {
			synctest.Test(t, func(t *testing.T) {
				h := plugtest.NewHome(t, simulator.P304M)
				h.Plug.Inject(simulator.Fault{Kind: kind, Path: "/app/request", Skip: skip, Times: 1})
				r, err := h.Read(h.Device)
				if err != nil || len(r.Outlets) != 4 {
					t.Errorf("fault %d at request %d: %v", kind, skip, err)
				}
				for i, o := range r.Outlets {
					if _, has := o.Power.Get(); !has {
						t.Errorf("fault %d at request %d: socket %d has no power", kind, skip, i+1)
					}
				}
				if took := h.Plug.Stats().Requests; took > 8+2+2*4 {
					t.Errorf("fault %d at request %d: %d requests", kind, skip, took)
				}
			})
		}
	}
}
