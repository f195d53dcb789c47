// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestUnsetClock is a plug that has not reached a time server since a power cut.
func TestUnsetClock(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{Load: simulator.Constant(60)})
	p.SetClock(time.Until(time.Date(2000, 1, 3, 0, 0, 0, 0, time.UTC)))
	d := plugtest.Device(t, p)
	r := plugtest.Read(t, d)
	o := r.Outlets[0]
	if _, ok := o.EnergyToday.Get(); ok {
		t.Error("there is energy today")
	}
	if _, ok := o.EnergyMonth.Get(); ok {
		t.Error("there is energy of the month")
	}
	if o.Power != tapo.Some(60.0) {
		t.Errorf("power %+v", o.Power)
	}
	if offset, ok := r.ClockOffset.Get(); !ok || offset > -20*365*24*time.Hour {
		t.Errorf("offset %v, %t", offset, ok)
	}
	p.SetClock(25 * time.Hour) // within what a wrong zone can do
	r = plugtest.Read(t, d)
	if _, ok := r.Outlets[0].EnergyMonth.Get(); !ok {
		t.Error("no energy although the clock is about right")
	}
	if offset, _ := r.ClockOffset.Get(); (offset - 25*time.Hour).Abs() > 2*time.Second {
		t.Errorf("offset %v", offset)
	}
}

// TestClockInTheYear2000: a plug whose clock was never set reports its power, and
// no energies.
func TestClockInTheYear2000(t *testing.T) {
	for _, k := range plugtest.Generations {
		t.Run(k.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := plugtest.NewHome(t, k.Model)
				h.Plug.SetClock(time.Until(time.Date(2000, 1, 1, 0, 30, 0, 0, time.UTC)))
				r, err := h.Read(h.Device)
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

// TestClockADayOff has no energies beyond 26 hours, and says why.
func TestClockADayOff(t *testing.T) {
	for offset, believed := range map[time.Duration]bool{
		0: true, 25 * time.Hour: true, -25 * time.Hour: true, 27 * time.Hour: false, -27 * time.Hour: false, -26 * 365 * 24 * time.Hour: false,
	} {
		for _, m := range []simulator.Model{simulator.P110, simulator.P304M} {
			p := plugtest.Start(t, &simulator.Plug{Model: m, Load: simulator.Constant(60), Outlets: []simulator.Outlet{{Load: simulator.Constant(60)}}})
			p.SetClock(offset)
			r := plugtest.Read(t, plugtest.Device(t, p))
			o := r.Outlets[0]
			_, today := o.EnergyToday.Get()
			_, month := o.EnergyMonth.Get()
			_, onToday := o.OnToday.Get()
			power, _ := o.Power.Get()
			if today != believed || month != believed || onToday != believed || power != 60 {
				t.Errorf("%s, %v off: %+v", m.Name, offset, o)
			}
			if off, known := r.ClockOffset.Get(); !known || (off-offset).Abs() > 2*time.Second {
				t.Errorf("%s, %v off: says %v, %t", m.Name, offset, off, known)
			}
		}
	}
}

// TestCountersAcrossDaysAndMonths reads before and after the end of a day, of a
// month and of daylight saving, as the plug's own clock has them. The clock is
// right all the time, and the counters start again when they should.
func TestCountersAcrossDaysAndMonths(t *testing.T) {
	at := func(text string) time.Time {
		moment, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	for _, tc := range []struct {
		name, region string
		before       string // the reads are then, and two hours later
		day, month   bool   // whether the counters start again between
	}{
		{"midnight", "Europe/Berlin", "2026-07-04T21:00:00Z", true, false},
		{"midnight elsewhere", "Pacific/Auckland", "2026-07-04T11:00:00Z", true, false},
		{"month", "Europe/Berlin", "2026-07-31T21:00:00Z", true, true},
		{"year", "America/New_York", "2027-01-01T04:00:00Z", true, true},
		{"summer begins", "Europe/Berlin", "2027-03-28T00:30:00Z", false, false},
		{"summer ends", "Europe/Berlin", "2026-10-25T00:30:00Z", false, false},
		{"summer ends and the day with it", "America/Havana", "2026-11-01T03:30:00Z", true, true},
		{"a zone without a name", "", "2026-07-04T23:00:00Z", true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(at(tc.before)))
				p := plugtest.Start(t, &simulator.Plug{Load: simulator.Constant(60), Region: tc.region, Network: new(simulator.Network), Listen: "192.0.2.1:80"})
				d := plugtest.Device(t, p)
				var today, month [2]float64
				for i := range today {
					time.Sleep(time.Duration(i) * 2 * time.Hour)
					r := plugtest.Read(t, d)
					if r.ClockOffset != tapo.Some(time.Duration(0)) {
						t.Errorf("read %d: clock off by %v", i, r.ClockOffset)
					}
					today[i], _ = r.Outlets[0].EnergyToday.Get()
					month[i], _ = r.Outlets[0].EnergyMonth.Get()
				}
				if today[1] < today[0] != tc.day || month[1] < month[0] != tc.month {
					t.Errorf("today %v, month %v", today, month)
				}
				const twoHours = 60 * 7200
				if grown := month[1] - month[0]; !tc.month && (grown < twoHours-3600 || grown > twoHours+3600) {
					t.Errorf("the month grew by %v", grown)
				}
			})
		})
	}
}
