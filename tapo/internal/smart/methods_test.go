// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart_test

import (
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

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

// TestWholeWattsInstead: where get_emeter_data is refused, whatever the code, and
// get_energy_usage as well, there is get_current_power.
func TestWholeWattsInstead(t *testing.T) {
	for _, code := range []int{-1, -1001, -1002, -1301, -1601, -2201} {
		p := plugtest.Start(t, &simulator.Plug{Model: simulator.P110M, Load: simulator.Constant(60)})
		p.Refuse("get_energy_usage", code)
		p.Refuse("get_emeter_data", code)
		if power, has := plugtest.Read(t, plugtest.Device(t, p)).Outlets[0].Power.Get(); !has || power != 60 {
			t.Errorf("code %d: %v, %t", code, power, has)
		}
	}
}

// TestMeterWithoutWatts: if get_emeter_data has volts and amperes only, and
// get_energy_usage has no power, get_current_power is asked: in a request of its own the
// first time, and in the batch after that (home-assistant/core#159393).
func TestMeterWithoutWatts(t *testing.T) {
	for _, emeter := range []string{
		`{"current_ma":480,"voltage_mv":121000,"energy_wh":3}`, `{"current_ma":480,"voltage_mv":121000,"power_mw":null}`,
		`{"current_ma":480,"voltage_mv":121000,"power_mw":4294967295}`,
	} {
		p := plugtest.Start(t, &simulator.Plug{Model: simulator.P110M, Load: simulator.Constant(41)})
		p.Answer("get_energy_usage", `{"today_energy":73,"month_energy":5189,"electricity_charge":[0,0,0]}`)
		p.Answer("get_emeter_data", emeter)
		d := plugtest.Device(t, p)
		for _, want := range []int{3 + 1 + 1, 1, 1} {
			got := plugtest.Requests(p, func() {
				o := plugtest.Read(t, d).Outlets[0]
				if power, _ := o.Power.Get(); power != 41 {
					t.Errorf("%s: %+v", emeter, o)
				}
				if volts, _ := o.Voltage.Get(); volts != 121 {
					t.Errorf("%s: %+v", emeter, o)
				}
			})
			if got != want {
				t.Errorf("%s: %d requests, want %d", emeter, got, want)
			}
		}
		p.Answer("get_emeter_data", "") // the watts come back
		plugtest.Read(t, d)
		before := p.Stats().Methods["get_current_power"]
		plugtest.Read(t, d)
		if now := p.Stats().Methods["get_current_power"]; now != before {
			t.Errorf("get_current_power is still asked")
		}
	}
}

// TestPowerLimitChanges: a limit that is changed in the app shows within ten minutes,
// without a request more.
func TestPowerLimitChanges(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P110M, simulator.P316M} {
		now := time.Now()
		p := plugtest.Start(t, &simulator.Plug{Model: m, Now: func() time.Time { return now }})
		d := plugtest.Device(t, p, func(c *tapo.Config) { c.Now = func() time.Time { return now } })
		method := "get_protection_power"
		if m.Strip != nil {
			method = "1/" + method
		}
		p.Answer(method, `{"enabled":true,"protection_power":100}`)
		limit := func() float64 {
			v, _ := plugtest.Read(t, d).Outlets[0].PowerLimit.Get()
			return v
		}
		limit()
		warm := plugtest.Requests(p, func() { limit() })
		p.Answer(method, `{"enabled":true,"protection_power":200}`)
		if got := limit(); got != 100 {
			t.Errorf("%s: %v W", m.Name, got)
		}
		now = now.Add(10 * time.Minute)
		if got := plugtest.Requests(p, func() {
			if got := limit(); got != 200 {
				t.Errorf("%s: %v W after ten minutes", m.Name, got)
			}
		}); got != warm {
			t.Errorf("%s: %d requests, want %d", m.Name, got, warm)
		}
		p.Answer(method, `{"enabled":false,"protection_power":200}`)
		now = now.Add(10 * time.Minute)
		if got := limit(); got != 0 {
			t.Errorf("%s: %v W although it is off", m.Name, got)
		}
	}
}

// TestMeterFirst: on a plug without batches the meter comes before the power limit, over
// every protocol.
func TestMeterFirst(t *testing.T) {
	for _, g := range plugtest.Generations {
		g.Model.NoBatch, g.Model.Emeter = true, true
		p := plugtest.Start(t, &simulator.Plug{Model: g.Model, Load: simulator.Constant(60)})
		d := plugtest.Device(t, p)
		for i := range 3 {
			o := plugtest.Read(t, d).Outlets[0]
			if !has(o.Voltage) || !has(o.EnergyMonth) || !has(o.Power) {
				t.Errorf("%s, read %d: %+v", g.Name, i+1, o)
			}
			if i > 0 && !has(o.PowerLimit) {
				t.Errorf("%s, read %d: no limit", g.Name, i+1)
			}
		}
	}
}
