// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"testing"
	"time"
)

// TestMeter counts over midnight, the end of a month, and both changes of daylight
// saving.
func TestMeter(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	santiago, err := time.LoadLocation("America/Santiago") // daylight saving begins at midnight there
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name       string
		from, to   time.Time
		today, all float64 // hours
	}{
		{"within a day", time.Date(2026, 5, 10, 8, 0, 0, 0, berlin), time.Date(2026, 5, 10, 9, 30, 0, 0, berlin), 9.5, 9*24 + 9.5},
		{"over midnight", time.Date(2026, 5, 10, 23, 59, 59, 0, berlin), time.Date(2026, 5, 11, 0, 30, 0, 0, berlin), 0.5, 10*24 + 0.5},
		{"over the month's end", time.Date(2026, 5, 31, 23, 0, 0, 0, berlin), time.Date(2026, 6, 1, 2, 0, 0, 0, berlin), 2, 2},
		{"over the year's end", time.Date(2026, 12, 31, 23, 59, 59, 5e8, berlin), time.Date(2027, 1, 1, 0, 0, 30, 0, berlin), 1. / 120, 1. / 120},
		{"into summer", time.Date(2026, 3, 29, 0, 0, 0, 0, berlin), time.Date(2026, 3, 29, 12, 0, 0, 0, berlin), 11, 28*24 + 11},
		{"out of summer", time.Date(2026, 10, 25, 0, 0, 0, 0, berlin), time.Date(2026, 10, 25, 12, 0, 0, 0, berlin), 13, 24*24 + 13},
		{"over a midnight that there is not", time.Date(2026, 9, 5, 22, 0, 0, 0, santiago), time.Date(2026, 9, 6, 3, 0, 0, 0, santiago), 2, 5*24 + 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMeter(Constant(100), true, tc.from.Location(), time.Time{}, tc.from)
			s := m.sample(tc.to)
			for what, got := range map[string][2]float64{
				"today": {s.today.drawn, 100 * tc.today}, "month": {s.month.drawn, 100 * tc.all},
				"time on today": {s.today.runtime.Hours(), tc.today}, "time on in the month": {s.month.runtime.Hours(), tc.all},
			} {
				if diff := got[0] - got[1]; diff > 1e-6 || diff < -1e-6 {
					t.Errorf("%s: %v, want %v", what, got[0], got[1])
				}
			}
		})
	}
}

func TestMeterCountsOnlyWhileOn(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	m := newMeter(Constant(60), true, time.UTC, time.Time{}, now)
	m.setRelay(false, now.Add(time.Hour))
	m.setRelay(true, now.Add(3*time.Hour))
	s := m.sample(now.Add(4 * time.Hour))
	if s.today.runtime != 2*time.Hour || int(s.today.drawn+0.5) != 120 || s.onTime != time.Hour {
		t.Errorf("%+v", s)
	}
	if s := m.sample(now); s.today.drawn < 0 {
		t.Errorf("a clock that goes backwards: %+v", s)
	}
}

// TestWholeWattHours: energies are rounded down.
func TestWholeWattHours(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	p := start(t, &Plug{Load: Constant(10), Now: func() time.Time { return now }})
	c := login(t, p)
	for i, tc := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {359 * time.Second, 0}, {2 * time.Second, 1}, {time.Hour, 11}} {
		now = now.Add(tc.after)
		var reply struct {
			Result energyUsage `json:"result"`
		}
		if err := json.Unmarshal([]byte(c.ask(t, p, int32(i+1), `{"method":"get_energy_usage"}`)), &reply); err != nil {
			t.Fatal(err)
		}
		if reply.Result.TodayEnergy != tc.want {
			t.Errorf("after %v: %d Wh, want %d", tc.after, reply.Result.TodayEnergy, tc.want)
		}
	}
}
