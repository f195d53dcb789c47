// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// TestPower: powers are those of the finest history there is at any time.
func TestPower(t *testing.T) {
	now := time.Date(2026, 8, 20, 15, 20, 0, 0, time.UTC) // so that the last sample begins a slot
	for _, finest := range []tapo.Interval{tapo.FiveMinutes, tapo.Hourly, tapo.Daily, tapo.Monthly} {
		m := &fakePlug{watts: dailyLoad, since: now.AddDate(-1, 0, 0), now: now, location: time.UTC}
		r := everything(now)
		r.Finest = finest
		o := readOne(t, m, r)
		checkSeries(t, o)
		for _, s := range o.Power {
			from, width := s.Time, fiveMinutes
			switch age := now.Sub(s.Time); {
			case age < powerRetention && finest <= tapo.FiveMinutes:
			case !s.Time.Before(time.Date(2026, 8, 13, 0, 0, 0, 0, time.UTC)) && finest <= tapo.Hourly:
				from, width = s.Time.Truncate(time.Hour), time.Hour
			case !s.Time.Before(time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)) && finest <= tapo.Daily:
				from, width = s.Time.Truncate(24*time.Hour), 24*time.Hour
			default:
				from = firstOf(s.Time.Year(), s.Time.Month(), time.UTC)
				width = from.AddDate(0, 1, 0).Sub(from)
			}
			want := m.wattHours(from, from.Add(width)) / width.Hours()
			if slack := 0.5 + 2/width.Hours(); math.Abs(s.Value-want) > slack {
				t.Fatalf("finest %d: %v W at %v, want %v", finest, s.Value, s.Time, want)
			}
		}
		for _, p := range []struct {
			interval tapo.Interval
			at       string
			gap      time.Duration
		}{
			{tapo.FiveMinutes, "2026-08-20T09:00:00Z", fiveMinutes},
			{tapo.Hourly, "2026-08-16T09:00:00Z", fiveMinutes},
			{tapo.Daily, "2026-07-16T09:00:00Z", time.Hour},
			{tapo.Monthly, "2026-02-16T00:00:00Z", 24 * time.Hour},
		} {
			at, _ := time.Parse(time.RFC3339, p.at)
			n, found := slices.BinarySearchFunc(o.Power, at, func(s Sample, t time.Time) int { return s.Time.Compare(t) })
			if p.interval >= finest && (!found || o.Power[n+1].Time.Sub(at) != p.gap) {
				t.Errorf("finest %d: nothing at %v", finest, p.at)
			}
		}
	}
}

// TestDirectedPlug: a plug that measures the direction has the same energy as any other,
// and no power.
func TestDirectedPlug(t *testing.T) {
	now := time.Date(2026, 8, 20, 15, 20, 0, 0, time.UTC)
	m := &fakePlug{watts: dailyLoad, since: now.AddDate(-1, 0, 0), now: now, location: time.UTC}
	other := readOne(t, m, everything(now))
	m.directed, m.requests = true, 0
	o := readOne(t, m, everything(now))
	if !o.Directed || len(o.Power) != 0 || len(o.Energy) == 0 || !slices.Equal(o.Energy, other.Energy) || other.Directed || m.requests != 3 {
		t.Errorf("%d energies, %d powers, %d histories", len(o.Energy), len(o.Power), m.requests)
	}
}

// TestSampleTimes: a month has a sample on each of its days, also where one of them
// begins at one o'clock.
func TestSampleTimes(t *testing.T) {
	for _, region := range []string{"America/Havana", "America/Santiago", "America/Asuncion", "Asia/Beirut", "Africa/Cairo", "Australia/Lord_Howe", "Atlantic/Azores"} {
		loc, err := time.LoadLocation(region)
		if err != nil {
			t.Fatal(err)
		}
		for month := time.January; month <= time.December; month++ {
			w := window{start: firstOf(2026, month, loc), end: firstOf(2026, month+1, loc), resolution: tapo.Monthly}
			times := w.sampleTimes()
			if days := time.Date(2026, month+1, 0, 0, 0, 0, 0, time.UTC).Day(); len(times) != days {
				t.Errorf("%s: %d samples in %v", region, len(times), month)
			}
			for i, at := range times {
				if at.Day() != i+1 || at.Add(-time.Second).Day() == at.Day() {
					t.Errorf("%s: sample %d at %v", region, i, at)
				}
			}
		}
	}
}
