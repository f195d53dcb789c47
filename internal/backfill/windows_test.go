// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

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

// TestNotPassed: the counter does not exceed the scraped one, also if the plug
// rounds every hour of a small load up.
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
