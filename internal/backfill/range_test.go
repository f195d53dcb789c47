// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"math"
	"testing"
	"time"
)

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
