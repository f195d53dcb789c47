// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart_test

import (
	"testing"

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
