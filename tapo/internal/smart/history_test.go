// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// stairs draws another whole number of watts in every hour.
var stairs = simulator.LoadFunc(func(at time.Time) float64 { return float64(40 + 7*(at.Unix()/3600%11)) })

// wattHours is what stairs draw.
func wattHours(from, to time.Time) float64 {
	sum := 0.0
	for t := from; t.Before(to); {
		next := t.Truncate(time.Hour).Add(time.Hour)
		if next.After(to) {
			next = to
		}
		sum += stairs.Watts(t) * next.Sub(t).Hours()
		t = next
	}
	return sum
}

// remembering returns a plug and its client at a time, in a bubble.
func remembering(t *testing.T, now time.Time, change func(*simulator.Plug)) (*simulator.Plug, *tapo.Device) {
	t.Helper()
	time.Sleep(time.Until(now))
	p := &simulator.Plug{
		Load: stairs, Region: "Europe/Berlin", Network: new(simulator.Network), Listen: "192.0.2.1:80", Latency: 25 * time.Millisecond,
		TPAP: simulator.TPAPOptions{Iterations: 10},
	}
	if change != nil {
		change(p)
	}
	plugtest.Start(t, p)
	return p, plugtest.Device(t, p)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestEnergyHistory compares what plugs say with what was drawn, over the ends of
// days, months and years, and where daylight saving begins and ends, in zones that
// have it at night, at midnight and not at all.
func TestEnergyHistory(t *testing.T) {
	for _, tc := range []struct {
		region, now string // UTC
		interval    tapo.Interval
		back        int // days
		slots       int // until now
		requests    int
	}{
		{"Europe/Berlin", "2026-10-28T10:20:00Z", tapo.Hourly, 7, 7*24 + 12 + 1, 1},
		{"Europe/Berlin", "2026-04-01T10:20:00Z", tapo.Hourly, 7, 7*24 + 13 - 1, 1},
		{"America/Santiago", "2026-09-08T12:20:00Z", tapo.Hourly, 4, 4*24 + 10 - 1, 1},
		{"America/Havana", "2026-11-03T12:20:00Z", tapo.Hourly, 4, 4*24 + 8 + 1, 1},
		{"Asia/Kolkata", "2026-10-28T10:20:00Z", tapo.Hourly, 2, 2*24 + 16, 1},
		{"Pacific/Auckland", "2026-10-28T11:30:00Z", tapo.Hourly, 7, 7*24 + 1, 1},
		{"UTC", "2027-01-02T00:00:00Z", tapo.Hourly, 7, 7*24 + 1, 1},
		{"Europe/Berlin", "2026-10-28T10:20:00Z", tapo.Daily, 118, 119, 2},
		{"America/New_York", "2026-04-01T10:20:00Z", tapo.Daily, 89, 90, 2},
		{"America/Havana", "2026-11-03T12:20:00Z", tapo.Daily, 33, 34, 1},
		{"Asia/Kolkata", "2026-10-28T10:20:00Z", tapo.Monthly, 310, 11, 2},
		{"Europe/Berlin", "2026-01-01T10:20:00Z", tapo.Monthly, 300, 11, 2},
	} {
		t.Run(fmt.Sprint(tc.region, tc.interval, tc.now), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				loc, now := must(time.LoadLocation(tc.region)), must(time.Parse(time.RFC3339, tc.now))
				p, d := remembering(t, now, func(p *simulator.Plug) { p.Region = tc.region })
				if _, err := d.Describe(t.Context()); err != nil {
					t.Fatal(err)
				}
				y, m, day := now.In(loc).Date()
				from := time.Date(y, m, day-tc.back, 0, 0, 0, 0, loc)
				var slots []tapo.EnergySlot
				if got := plugtest.Requests(p, func() { slots = must(d.EnergyHistory(t.Context(), 1, tc.interval, from, now.AddDate(1, 0, 0))) }); got != tc.requests {
					t.Errorf("%d requests, want %d", got, tc.requests)
				}
				if len(slots) != tc.slots {
					t.Errorf("%d slots, want %d", len(slots), tc.slots)
				}
				for i, s := range slots {
					if want := wattHours(s.Start, s.End); math.Abs(s.Joules/3600-want) > 1 {
						t.Fatalf("%v to %v: %v Wh, want %v", s.Start, s.End, s.Joules/3600, want)
					}
					if i > 0 && !s.Start.Equal(slots[i-1].End) || s.Start.Location() != time.UTC || s.End.Location() != time.UTC {
						t.Fatalf("slot %d begins at %v, the one before ends at %v", i, s.Start, slots[i-1].End)
					}
				}
				last := slots[len(slots)-1]
				if begins := slots[0].Start; begins.After(from) || last.End.After(time.Now()) || last.End.Before(now) {
					t.Errorf("from %v to %v, want from %v to %v", begins, last.End, from, now)
				}
			})
		})
	}
}

// TestHoursByWallClock: a plug that has 24 values for every day is understood as
// well where a day has fewer hours or more.
func TestHoursByWallClock(t *testing.T) {
	for day, hours := range map[string]int{"2026-03-29": 23, "2026-10-25": 25} {
		synctest.Test(t, func(t *testing.T) {
			loc := must(time.LoadLocation("Europe/Berlin"))
			from := must(time.ParseInLocation(time.DateOnly, day, loc))
			p, d := remembering(t, from.AddDate(0, 0, 3), nil)
			values := make([]int, 8*24)
			for i := range values {
				hour := time.Date(from.Year(), from.Month(), from.Day()+i/24, i%24, 0, 0, 0, loc)
				values[i] = int(stairs.Watts(hour))
				switch {
				case i == 2 && hours == 23:
					values[i] = 0
				case i == 2:
					values[i] = int(wattHours(from.Add(2*time.Hour), from.Add(4*time.Hour)))
				}
			}
			data := string(must(json.Marshal(values)))
			p.Answer("get_energy_data", `{"local_time":"`+time.Now().In(loc).Format(time.DateTime)+`","data":`+data+`}`)
			slots := must(d.EnergyHistory(t.Context(), 1, tapo.Hourly, from, from.AddDate(0, 0, 3)))
			if hours == 23 && len(slots) != 71 || hours == 25 && len(slots) != 72 {
				t.Errorf("%s: %d slots", day, len(slots))
			}
			for _, s := range slots {
				if want := wattHours(s.Start, s.End); math.Abs(s.Joules/3600-want) > 1e-6 {
					t.Fatalf("%v to %v: %v Wh, want %v", s.Start, s.End, s.Joules/3600, want)
				}
			}
		})
	}
}

// TestPowerHistory asks for more than fits one reply, and more than is kept.
func TestPowerHistory(t *testing.T) {
	for _, tc := range []struct {
		interval        tapo.Interval
		back            time.Duration
		slots, requests int
	}{
		{tapo.FiveMinutes, 20 * time.Hour, 144, 2},
		{tapo.FiveMinutes, 12 * time.Hour, 144, 1}, // the slot in progress is not asked for
		{tapo.FiveMinutes, 30 * time.Minute, 6, 1},
		{tapo.Hourly, 10 * 24 * time.Hour, 144, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			now := time.Date(2026, 10, 28, 10, 22, 0, 0, time.UTC)
			p, d := remembering(t, now, func(p *simulator.Plug) { p.Region = "Asia/Kolkata" })
			if _, err := d.Describe(t.Context()); err != nil {
				t.Fatal(err)
			}
			var slots []tapo.PowerSlot
			if got := plugtest.Requests(p, func() {
				slots = must(d.PowerHistory(t.Context(), 1, tc.interval, now.Add(-tc.back), now.Add(time.Hour)))
			}); got != tc.requests+1 { // and one for the clock
				t.Errorf("%d requests", got)
			}
			if len(slots) < tc.slots || len(slots) > tc.slots+1 {
				t.Errorf("%d slots, want %d", len(slots), tc.slots)
			}
			for _, s := range slots {
				width := s.End.Sub(s.Start)
				if want := wattHours(s.Start, s.End) / width.Hours(); math.Abs(s.Watts-want) > 0.5 || s.End.After(now) || width != time.Duration(tc.interval)*time.Minute {
					t.Fatalf("%v to %v: %v W, want %v", s.Start, s.End, s.Watts, want)
				}
			}
		})
	}
}

// TestHistoryOfOutlets: each outlet of a strip has its own, and all of them fit
// into forty requests with all that comes before.
func TestHistoryOfOutlets(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P316M, simulator.P304M, simulator.P210M} {
		synctest.Test(t, func(t *testing.T) {
			now := time.Date(2026, 10, 28, 10, 20, 0, 0, time.UTC)
			p, d := remembering(t, now, func(p *simulator.Plug) {
				p.Model = m
				for i := range m.Strip.Outlets {
					p.Outlets = append(p.Outlets, simulator.Outlet{Load: simulator.Constant(100 * (i + 1))})
				}
			})
			n := plugtest.Requests(p, func() {
				desc := must(d.Describe(t.Context()))
				if len(desc.Outlets) != m.Strip.Outlets || desc.Location.String() != "Europe/Berlin" || desc.Info.Model != m.Name {
					t.Errorf("%+v", desc)
				}
				for _, outlet := range desc.Outlets {
					for _, s := range must(d.EnergyHistory(t.Context(), outlet, tapo.Daily, now.AddDate(0, 0, -5), now.AddDate(0, 0, -1))) {
						if want := float64(100*outlet) * s.End.Sub(s.Start).Seconds(); math.Abs(s.Joules-want) > 3600 {
							t.Fatalf("%s, outlet %d: %v J, want %v", m.Name, outlet, s.Joules, want)
						}
					}
				}
			})
			if limit := 4 + m.Strip.Outlets; n > limit {
				t.Errorf("%s: %d requests, want %d", m.Name, n, limit)
			}
			if _, err := d.EnergyHistory(t.Context(), 9, tapo.Daily, now.AddDate(0, 0, -5), now); !errors.Is(err, tapo.ErrNoHistory) {
				t.Error(err)
			}
		})
	}
}

// TestHistoryOfSlowClock: a plug whose clock is behind has recorded nothing of
// what to it is to come.
func TestHistoryOfSlowClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Date(2026, 10, 3, 10, 10, 0, 0, time.UTC)
		p, d := remembering(t, now, func(p *simulator.Plug) { p.Region = "UTC" })
		p.SetClock(-20 * time.Minute)
		slots := must(d.EnergyHistory(t.Context(), 1, tapo.Hourly, now.Add(-3*time.Hour), now))
		if last := slots[len(slots)-1]; !last.InProgress || last.End.After(now.Add(-19*time.Minute)) {
			t.Errorf("%+v", last)
		}
		p.Answer("get_power_data", `{"data":[1,2,3,4,5,6,7,8,9]}`) // it says no time
		powers := must(d.PowerHistory(t.Context(), 1, tapo.FiveMinutes, now.Add(-40*time.Minute), now))
		if last := powers[len(powers)-1]; last.End.After(now.Add(-20 * time.Minute)) {
			t.Errorf("%+v", last)
		}
	})
}

// TestHistoryValues: what cannot be is left out.
func TestHistoryValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Date(2026, 10, 3, 10, 20, 0, 0, time.UTC)
		p, d := remembering(t, now, func(p *simulator.Plug) { p.Region = "UTC" })
		p.Answer("get_energy_data", `{"data":[-1,"12",null,1e300,7,7,7],"local_time":"2026-10-03 10:20:00","start_timestamp":1790812800}`)
		day := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
		slots := must(d.EnergyHistory(t.Context(), 1, tapo.Hourly, day, now))
		if len(slots) != 4 || slots[0] != (tapo.EnergySlot{Start: day.Add(time.Hour), End: day.Add(2 * time.Hour), Joules: 12 * 3600}) || slots[1].Start != day.Add(4*time.Hour) {
			t.Errorf("%+v", slots)
		}
		p.Answer("get_energy_data", `{"data":"none"}`)
		if slots, err := d.EnergyHistory(t.Context(), 1, tapo.Hourly, day, now); err != nil || len(slots) != 0 {
			t.Error(slots, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.EnergyHistory(ctx, 1, tapo.Hourly, day, now); err == nil {
			t.Error("nothing stops it")
		}
	})
}
