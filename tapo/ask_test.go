// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestRoundTrips(t *testing.T) {
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

// TestPlugWithoutBatches is a P100 of the first firmware: what does not fit
// into eight exchanges is left for the next reads.
func TestPlugWithoutBatches(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{Model: simulator.P100Old})
	d := plugtest.Device(t, p)
	got := make([]int, 4)
	for i := range got {
		got[i] = plugtest.Requests(p, func() { plugtest.Read(t, d) })
	}
	// It closes connections unannounced, and one request may be lost before that is
	// known, which the plug does not see.
	if want, lost := []int{8, 2, 1, 1}, []int{7, 3, 1, 1}; !slices.Equal(got, want) && !slices.Equal(got, lost) {
		t.Errorf("%v round trips, want %v", got, want)
	}
	if got := p.Stats().Methods["component_nego"]; got != 1 {
		t.Errorf("component_nego asked %d times", got)
	}
}

func TestBatchRefusalIsRemembered(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{Load: simulator.Constant(60)})
	p.Inject(simulator.Fault{Kind: simulator.NoBatch})
	d := plugtest.Device(t, p)
	for i, want := range []int{8, 3, 3, 3} { // get_emeter_data has to wait for the second read
		var r tapo.Reading
		if got := plugtest.Requests(p, func() { r = plugtest.Read(t, d) }); got != want {
			t.Errorf("read %d: %d round trips, want %d", i, got, want)
		}
		if power, ok := r.Outlets[0].Power.Get(); !ok || power != 60 {
			t.Errorf("read %d: power %v, %t", i, power, ok)
		}
	}
	p.Heal() // it is not asked for batches again
	if got := plugtest.Requests(p, func() { plugtest.Read(t, d) }); got != 3 {
		t.Errorf("%d round trips, want 3", got)
	}
}

func TestPlugWithoutMeter(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P100, simulator.P105} {
		r := plugtest.Read(t, plugtest.Device(t, plugtest.Start(t, &simulator.Plug{Model: m})))
		o := r.Outlets[0]
		none := tapo.Optional[float64]{}
		if o.Power != none || o.Voltage != none || o.Current != none || o.EnergyToday != none || o.EnergyMonth != none || o.PowerLimit != none {
			t.Errorf("%s has values of a meter: %+v", m.Name, o)
		}
		if o.On != tapo.Some(true) {
			t.Errorf("%s: state %+v", m.Name, o.On)
		}
	}
}

// TestRefusedEnergy is firmware that refuses statistics while its clock is
// not set: one exchange still, and the power is there.
func TestRefusedEnergy(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P110, simulator.P110NoEmeter} {
		p := plugtest.Start(t, &simulator.Plug{Model: m, Load: simulator.Constant(60.5)})
		d := plugtest.Device(t, p)
		plugtest.Read(t, d)
		p.Refuse("get_energy_usage", -2201)
		plugtest.Read(t, d) // the plug without get_emeter_data needs to learn that get_current_power is of use
		for range 2 {
			got := plugtest.Requests(p, func() {
				o := plugtest.Read(t, d).Outlets[0]
				if power, ok := o.Power.Get(); !ok || int(power) != 60 {
					t.Errorf("%s: power %v, %t", m.Firmware, power, ok)
				}
				if _, ok := o.EnergyMonth.Get(); ok {
					t.Errorf("%s: energy", m.Firmware)
				}
			})
			if got != 1 {
				t.Errorf("%s: %d round trips", m.Firmware, got)
			}
		}
		p.Refuse("get_energy_usage", 0)
		if _, ok := plugtest.Read(t, d).Outlets[0].EnergyMonth.Get(); !ok {
			t.Errorf("%s: energy does not come back", m.Firmware)
		}
	}
}

func TestRefusedMethodIsRemembered(t *testing.T) {
	now := time.Now()
	p := plugtest.Start(t, &simulator.Plug{Model: simulator.P110NoEmeter})
	d := plugtest.Device(t, p, func(c *tapo.Config) { c.Now = func() time.Time { return now } })
	asked := func() int { return p.Stats().Methods["get_emeter_data"] }
	for range 3 {
		plugtest.Read(t, d)
	}
	if asked() != 1 {
		t.Errorf("asked %d times", asked())
	}
	now = now.Add(12 * time.Hour)
	p.LoseSession()
	plugtest.Read(t, d)
	if asked() != 1 {
		t.Errorf("asked %d times after a new login", asked())
	}
	now = now.Add(13 * time.Hour)
	plugtest.Read(t, d)
	if asked() != 2 {
		t.Errorf("asked %d times after a day", asked())
	}
	newer := simulator.P110NoEmeter
	newer.Firmware, newer.Emeter = "1.3.1 Build 240621 Rel.162048", true
	p.SetModel(newer)
	plugtest.Read(t, d)
	if _, ok := plugtest.Read(t, d).Outlets[0].Voltage.Get(); !ok {
		t.Error("the new firmware's method is not used")
	}
}

func TestPlugReplaced(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{Load: simulator.Constant(60)})
	d := plugtest.Device(t, p)
	plugtest.Read(t, d)
	p.SetModel(simulator.P105)
	plugtest.Read(t, d)
	r := plugtest.Read(t, d)
	if _, ok := r.Outlets[0].Power.Get(); ok || r.Info.Model != "P105" {
		t.Errorf("%+v", r)
	}
	p.SetModel(simulator.P110)
	plugtest.Read(t, d)
	if power := plugtest.Read(t, d).Outlets[0].Power; power != tapo.Some(60.0) {
		t.Errorf("power %+v", power)
	}
}
