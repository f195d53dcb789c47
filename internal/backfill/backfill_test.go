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
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
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

// TestCounter: whatever way a plug rounds, the counter rises by what the plug says
// of each day and month, within a watt-hour, begins anew with the month, and never
// passes the live one.
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

// TestIncompleteHistories: a gap in one history is filled from the others.
func TestIncompleteHistories(t *testing.T) {
	loc := berlin(t)
	now := time.Date(2026, 9, 16, 12, 10, 0, 0, loc)
	constant := func(time.Time) float64 { return 60 }
	at := func(month time.Month, day, hour int) time.Time {
		return time.Date(2026, month, day, hour, 0, 0, 0, loc)
	}
	for name, tc := range map[string]struct {
		drops      func(i tapo.Interval, start time.Time) bool
		since      time.Time
		begins     time.Time
		sources    []Source
		watts      float64 // at all times
		monthStart float64 // the counter's value on the 5th, in Wh
	}{
		"nothing": {nil, at(2, 1, 0), at(2, 1, 0), []Source{{tapo.FiveMinutes, 108}, {tapo.Hourly, 178}, {tapo.Daily, 161}, {tapo.Monthly, 2}}, 60, 4 * 24 * 60},
		"hours of some days": {
			func(i tapo.Interval, start time.Time) bool { return i == tapo.Hourly && start.Before(at(9, 12, 7)) },
			at(9, 1, 0), at(9, 1, 0),
			[]Source{{tapo.FiveMinutes, 108}, {tapo.Hourly, 82}, {tapo.Daily, 12}},
			60, 4 * 24 * 60,
		},
		"days of the month so far": {
			func(i tapo.Interval, start time.Time) bool { return i == tapo.Daily && start.Before(at(9, 14, 0)) },
			at(9, 1, 0), at(9, 1, 0),
			[]Source{{tapo.FiveMinutes, 108}, {tapo.Hourly, 58}, {tapo.Monthly, 1}},
			60, 4 * 24 * 60,
		},
		"days of months": {
			func(i tapo.Interval, start time.Time) bool { return i == tapo.Daily && start.Before(at(9, 1, 0)) },
			at(6, 1, 0), at(6, 1, 0),
			[]Source{{tapo.FiveMinutes, 108}, {tapo.Hourly, 178}, {tapo.Daily, 8}, {tapo.Monthly, 3}},
			60, 4 * 24 * 60,
		},
		"that it was not there": {nil, at(9, 4, 0), at(9, 4, 0), []Source{{tapo.FiveMinutes, 108}, {tapo.Hourly, 178}, {tapo.Daily, 5}}, 60, 24 * 60},
		"months": {
			func(i tapo.Interval, _ time.Time) bool { return i == tapo.Monthly },
			at(8, 30, 0), at(8, 30, 0),
			[]Source{{tapo.FiveMinutes, 108}, {tapo.Hourly, 178}, {tapo.Daily, 10}},
			60, 4 * 24 * 60,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "hours of some days" || name == "days of the month so far" {
				drops := tc.drops
				tc.drops = func(i tapo.Interval, start time.Time) bool { // hours go with their days
					return drops(i, start) || i == tapo.Hourly && drops(tapo.Daily, start)
				}
			}
			m := &fakePlug{watts: constant, since: tc.since, now: now, location: loc, drops: tc.drops}
			o := readOne(t, m, everything(now))
			checkSeries(t, o)
			if diff := cmp.Diff(tc.sources, o.Sources); diff != "" {
				t.Error(diff)
			}
			if got := o.Energy[0].Time; !got.Equal(tc.begins) {
				t.Errorf("begins at %v, want %v", got, tc.begins)
			}
			for _, s := range o.Power {
				if math.Abs(s.Value-tc.watts) > 0.1 {
					t.Fatalf("%v W at %v", s.Value, s.Time)
				}
			}
			if got := value(o.Energy, at(9, 5, 0)) / 3600; math.Abs(got-tc.monthStart) > 1 {
				t.Errorf("%v Wh on the fifth", got)
			}
			if got, want := value(o.Energy, at(9, 16, 9))/3600, m.wattHours(latest(at(9, 1, 0), tc.since), at(9, 16, 9)); math.Abs(got-want) > 1 {
				t.Errorf("%v Wh at the end, want %v", got, want)
			}
		})
	}
}

// TestSmallLoads: a plug that rounds every hour of a small load to zero has its
// energy from the days, and one that rounds every day to zero from the months.
func TestSmallLoads(t *testing.T) {
	loc := berlin(t)
	now := time.Date(2026, 9, 16, 12, 10, 0, 0, loc)
	for watts, resolution := range map[float64]tapo.Interval{0.15: tapo.Daily, 0.02: tapo.Monthly} {
		m := &fakePlug{watts: func(time.Time) float64 { return watts }, since: now.AddDate(0, -6, 0), now: now, location: loc, rounding: truncated}
		o := readOne(t, m, everything(now))
		checkSeries(t, o)
		from, to := time.Date(2026, 8, 1, 0, 0, 0, 0, loc), time.Date(2026, 9, 1, 0, 0, 0, 0, loc)
		if got, want := value(o.Energy, to.Add(-time.Second)), m.count(from, to)*3600; got != want || want == 0 {
			t.Errorf("%v W: %v J in August, want %v", watts, got, want)
		}
		if !slices.ContainsFunc(o.Sources, func(s Source) bool { return s.Resolution == resolution && s.Slots > 0 }) {
			t.Errorf("%v W: %v", watts, o.Sources)
		}
		if watts == 0.15 {
			day := time.Date(2026, 9, 14, 0, 0, 0, 0, loc)
			if got := value(o.Energy, day.AddDate(0, 0, 1)) - value(o.Energy, day); got < 2*3600 || got > 4*3600 {
				t.Errorf("%v J on a day of 3.6 Wh", got)
			}
		}
	}
}

// TestNotPassed: a plug that rounds every hour of a small load up does not make
// the counter pass the live one.
func TestNotPassed(t *testing.T) {
	for hour := range 24 {
		now := time.Date(2026, 9, 1, hour, 10, 0, 0, time.UTC)
		m := &fakePlug{watts: func(time.Time) float64 { return 0.6 }, since: now.AddDate(0, -1, 0), now: now, location: time.UTC, rounding: nearest}
		r := everything(now)
		r.To = At(now)
		o := readOne(t, m, r)
		checkSeries(t, o)
		if last, live := o.Energy[len(o.Energy)-1], m.count(time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), now)*3600; last.Time.Day() == 1 && last.Value > live {
			t.Errorf("%v J at %v, the plug says %v", last.Value, last.Time, live)
		}
	}
}

// TestSteps: a month has a step for each of its days, also where one of them
// begins at one o'clock.
func TestSteps(t *testing.T) {
	for _, region := range []string{"America/Havana", "America/Santiago", "America/Asuncion", "Asia/Beirut", "Africa/Cairo", "Australia/Lord_Howe", "Atlantic/Azores"} {
		loc, err := time.LoadLocation(region)
		if err != nil {
			t.Fatal(err)
		}
		for month := time.January; month <= time.December; month++ {
			w := window{start: firstOf(2026, month, loc), end: firstOf(2026, month+1, loc), resolution: tapo.Monthly}
			steps := w.sampleTimes()
			if days := time.Date(2026, month+1, 0, 0, 0, 0, 0, time.UTC).Day(); len(steps) != days {
				t.Errorf("%s: %d steps in %v", region, len(steps), month)
			}
			for i, at := range steps {
				if at.Day() != i+1 || at.Add(-time.Second).Day() == at.Day() {
					t.Errorf("%s: step %d at %v", region, i, at)
				}
			}
		}
	}
}

// TestRanges: samples lie within the range, and only the histories that it needs
// are requested.
func TestRanges(t *testing.T) {
	loc := berlin(t)
	now := time.Date(2026, 9, 16, 12, 10, 0, 0, loc)
	for _, tc := range []struct {
		from, to, first, last string // the latter of energy
		requests              int
	}{
		{"2026-09-14", "3h", "2026-09-14T00:00:00+02:00", "2026-09-16T09:10:00+02:00", 4},
		{"30h", "20h", "2026-09-15T06:10:00+02:00", "2026-09-15T16:10:00+02:00", 3},
		{"2026-07-01", "2026-07-02", "2026-07-01T00:00:00+02:00", "2026-07-02T00:00:00+02:00", 2},
		{"2026-01-31", "2026-02-02", "2026-01-31T00:00:00+01:00", "2026-02-02T00:00:00+01:00", 1},
		{"2020-01-01", "2026-02-02T12:00:00+03:00", "2025-10-01T00:00:00+02:00", "2026-02-02T00:00:00+01:00", 1},
		{"2h", "0s", "2026-09-16T10:10:00+02:00", "2026-09-16T12:00:00+02:00", 4},
	} {
		m := &fakePlug{watts: dailyLoad, since: time.Date(2025, 10, 1, 0, 0, 0, 0, loc), now: now, location: loc}
		r := everything(now)
		r.From, r.To = bound(t, tc.from, now), bound(t, tc.to, now)
		o := readOne(t, m, r)
		checkSeries(t, o)
		if got := [2]string{o.Energy[0].Time.In(loc).Format(time.RFC3339), o.Energy[len(o.Energy)-1].Time.In(loc).Format(time.RFC3339)}; got != [2]string{tc.first, tc.last} || m.requests != tc.requests {
			t.Errorf("from %s to %s: %v with %d histories", tc.from, tc.to, got, m.requests)
		}
		all := readOne(t, m, everything(now))
		for _, s := range o.Energy {
			if want := value(all.Energy, s.Time); s.Time.Before(now.Add(-3*time.Hour)) && math.Abs(s.Value-want) > 1 {
				t.Fatalf("from %s: %v J at %v, and %v of all", tc.from, s.Value, s.Time, want)
			}
		}
	}
	for _, bad := range []string{"", "yesterday", "2026-13-01", "1", "2026-09-16 12:00:00"} {
		if _, err := ParseBound(bad, now); err == nil {
			t.Errorf("%q is a bound", bad)
		}
	}
}

func bound(t *testing.T, text string, now time.Time) Bound {
	t.Helper()
	m, err := ParseBound(text, now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestNothing: a plug that has drawn nothing says so, an old one has no powers,
// and what goes wrong is returned.
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

// TestLargestStrip counts what six outlets take. The pauses pass in simulated
// time.
func TestLargestStrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Date(2026, 9, 16, 12, 10, 0, 0, time.UTC)
		time.Sleep(time.Until(now))
		network := new(simulator.Network)
		p := &simulator.Plug{Model: simulator.P316M, Network: network, Listen: "192.0.2.1:80", Username: "u", Password: "p", SetUp: now.AddDate(0, 0, -3)}
		for range p.Model.Strip.Outlets {
			p.Outlets = append(p.Outlets, simulator.Outlet{Load: simulator.Constant(60)})
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		device, err := tapo.New(tapo.Config{Address: "192.0.2.1", Credentials: tapo.Credentials{Username: "u", Password: "p"}, DialContext: network.DialContext})
		if err != nil {
			t.Fatal(err)
		}
		defer device.Close()
		outlets, err := Read(t.Context(), device, everything(now))
		if err != nil || len(outlets) != 6 || len(outlets[5].Energy) < 500 || len(outlets[5].Power) < 500 {
			t.Errorf("%d outlets, %v", len(outlets), err)
		}
		if got := p.Stats().Requests; got > 40 {
			t.Errorf("%d requests", got)
		}
		if took := time.Since(now); took < 6*5*250*time.Millisecond {
			t.Errorf("six requests for each of six outlets in %v", took)
		}
	})
}
