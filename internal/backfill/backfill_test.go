// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// everything is the range of all that is older than three hours.
func everything(now time.Time) Range {
	return Range{To: At(now.Add(-3 * time.Hour)), Finest: tapo.FiveMinutes, Now: now}
}

func readOne(t *testing.T, m *fakePlug, r Range) Outlet {
	t.Helper()
	outlets, err := Read(t.Context(), m, r)
	if err != nil {
		t.Fatal(err)
	}
	return outlets[0]
}

// value returns a series' value at a time, or before.
func value(samples []Sample, at time.Time) float64 {
	n, found := slices.BinarySearchFunc(samples, at, func(s Sample, t time.Time) int { return s.Time.Compare(t) })
	if !found {
		n--
	}
	if n < 0 {
		return math.NaN()
	}
	return samples[n].Value
}

// TestCounter: the counter rises by the plug's energy of each day and month, within
// a watt-hour and however the plug rounds. It begins at zero with each month, and
// never exceeds the scraped one.
func TestCounter(t *testing.T) {
	loc := berlin(t)
	for name, now := range map[string]time.Time{
		"into winter": time.Date(2026, 11, 1, 17, 21, 3, 0, loc), // whose hours begin on the day of 25 hourly
		"into summer": time.Date(2026, 4, 3, 11, 2, 59, 0, loc),
		"new year":    time.Date(2027, 1, 1, 4, 0, 0, 0, loc),
		"late":        time.Date(2026, 8, 31, 23, 59, 59, 0, loc),
	} {
		for _, r := range []rounding{together, truncated, nearest} {
			t.Run(fmt.Sprint(name, r), func(t *testing.T) {
				m := &fakePlug{watts: dailyLoad, since: now.AddDate(0, -6, 0), now: now, location: loc, rounding: r}
				o := readOne(t, m, everything(now))
				if m.requests != 4 {
					t.Errorf("%d histories", m.requests)
				}
				checkSeries(t, o)
				end := now.Add(-3 * time.Hour)
				year, month, day := end.In(loc).Date()
				oldest := firstOf(now.Year(), now.Month()-(now.Month()-1)%3-3, loc) // of which there are days
				for back := 0; ; back++ {
					midnight := time.Date(year, month, day-back, 0, 0, 0, 0, loc)
					before := midnight.AddDate(0, 0, -1)
					if before.Before(oldest) {
						break
					}
					got := value(o.Energy, midnight.Add(-time.Second)) - value(o.Energy, before)
					if midnight.Day() != 1 {
						got = value(o.Energy, midnight) - value(o.Energy, before)
					}
					if want := m.count(before, midnight) * 3600; math.Abs(got-want) > 3600 {
						t.Errorf("%v: %v Wh, want %v", before, got/3600, want/3600)
					}
				}
				for back := range 5 {
					first := firstOf(year, month-time.Month(back), loc)
					if got := value(o.Energy, first); got != 0 {
						t.Errorf("%v J at %v", got, first)
					}
					if back == 0 {
						continue
					}
					next := first.AddDate(0, 1, 0)
					if got, want := value(o.Energy, next.Add(-time.Second)), m.count(first, next)*3600; math.Abs(got-want) > 1 {
						t.Errorf("%v: %v Wh, want %v", first, got/3600, want/3600)
					}
				}
				if live, last := m.count(firstOf(year, month, loc), now)*3600, o.Energy[len(o.Energy)-1]; last.Value > live {
					t.Errorf("%v at the end, the plug says %v now", last.Value, live)
				}
				hour := end.Truncate(time.Hour)
				got, want := value(o.Energy, hour)/3600, m.wattHours(firstOf(year, month, loc), hour)
				if missing := want - got; r == together && (missing < -0.5 || missing > 1) {
					t.Errorf("%v Wh at %v, want %v", got, hour, want)
				}
				if again := readOne(t, m, everything(now)); !cmp.Equal(o.Energy, again.Energy) {
					t.Error("another time, another counter")
				}
			})
		}
	}
}

// checkSeries checks what is true of all series.
func checkSeries(t *testing.T, o Outlet) {
	t.Helper()
	for name, samples := range map[string][]Sample{"energy": o.Energy, "power": o.Power} {
		for i, s := range samples {
			if s.Value < 0 || math.IsNaN(s.Value) || s.Time.Nanosecond() != 0 {
				t.Fatalf("%s: %v at %v", name, s.Value, s.Time)
			}
			if i == 0 {
				continue
			}
			before := samples[i-1]
			if !s.Time.After(before.Time) {
				t.Fatalf("%s: %v after %v", name, s.Time, before.Time)
			}
			if name == "energy" && s.Value < before.Value && (s.Value != 0 || s.Time.In(o.Location).Day() != 1 || s.Time.Sub(before.Time) != time.Second) {
				t.Fatalf("%v J at %v after %v J at %v", s.Value, s.Time, before.Value, before.Time)
			}
		}
	}
}

// TestNothing: a plug without consumption is an error, old firmware has no powers,
// and errors of requests are returned.
func TestNothing(t *testing.T) {
	now := time.Date(2026, 9, 16, 12, 10, 0, 0, time.UTC)
	m := &fakePlug{watts: dailyLoad, since: now, now: now, location: time.UTC, noPower: true}
	if _, err := Read(t.Context(), m, everything(now)); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
	m.since = now.AddDate(0, 0, -3)
	if o := readOne(t, m, everything(now)); len(o.Power) == 0 || o.Sources[0].Resolution != tapo.Hourly {
		t.Errorf("%v", o.Sources)
	}
	for _, refused := range []tapo.Interval{tapo.Hourly, tapo.Daily, tapo.Monthly} {
		m.refuses = refused
		if o := readOne(t, m, everything(now)); len(o.Energy) == 0 || slices.ContainsFunc(o.Sources, func(s Source) bool { return s.Resolution == refused }) {
			t.Errorf("%v without %d", o.Sources, refused)
		}
	}
	m.refuses = 0
	lost := time.Date(2026, 9, 15, 2, 0, 0, 0, time.UTC) // when nothing is drawn, but nobody knows
	m.lost = func(i tapo.Interval, start time.Time) bool { return i == tapo.Hourly && start.Equal(lost) }
	if o := readOne(t, m, everything(now)); !slices.Contains(o.Sources, Source{tapo.Daily, 1}) {
		t.Errorf("%v", o.Sources)
	}
	m.lost = nil
	m.since = now.Add(-5 * time.Hour)
	m.noPower = false
	if o := readOne(t, m, everything(now)); o.Power[0].Time.Before(o.Energy[0].Time) {
		t.Errorf("power from %v, energy from %v", o.Power[0].Time, o.Energy[0].Time)
	}
	r := everything(now)
	r.From = At(now.Add(-4 * time.Hour))
	r.Finest = tapo.Monthly
	if _, err := Read(t.Context(), m, r); !errors.Is(err, ErrOutside) {
		t.Error(err)
	}
	for _, failing := range []int{1, 2, 3, 4} {
		m := &failing4th{fakePlug: fakePlug{watts: dailyLoad, since: now.AddDate(0, 0, -3), now: now, location: time.UTC}, left: failing}
		if outlets, err := Read(t.Context(), m, everything(now)); err == nil || len(outlets) > 0 {
			t.Error(err)
		}
	}
}

// failing4th is a plug that goes away.
type failing4th struct {
	fakePlug
	left int
}

var errGone = errors.New("gone")

func (f *failing4th) EnergyHistory(ctx context.Context, outlet int, i tapo.Interval, from, to time.Time) ([]tapo.EnergySlot, error) {
	if f.left--; f.left == 0 {
		return nil, errGone
	}
	return f.fakePlug.EnergyHistory(ctx, outlet, i, from, to)
}

func (f *failing4th) PowerHistory(ctx context.Context, outlet int, i tapo.Interval, from, to time.Time) ([]tapo.PowerSlot, error) {
	if f.left--; f.left == 0 {
		return nil, errGone
	}
	return f.fakePlug.PowerHistory(ctx, outlet, i, from, to)
}
