// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRemoveOverlap: the hours that a server has are removed from each series, and
// the counter stays between its values before and after, in the same month.
func TestRemoveOverlap(t *testing.T) {
	loc := berlin(t)
	hour := func(month time.Month, day, hour int) time.Time {
		return time.Date(2026, month, day, hour, 0, 0, 0, time.UTC)
	}
	least := map[time.Time]float64{hour(9, 1, 3): 500, hour(9, 1, 9): 1700}
	most := map[time.Time]float64{hour(9, 1, 3): 600, hour(9, 1, 9): 1800}
	p, queries := server(t, least, most, []time.Time{hour(9, 1, 5)})
	o := Outlet{Number: 1, Location: loc}
	for at := hour(8, 31, 20); at.Before(hour(9, 1, 12)); at = at.Add(30 * time.Minute) {
		v := at.Sub(hour(9, 1, 0)).Hours() * 200 // 600 at three o'clock, 2000 at ten
		o.Energy, o.Power = append(o.Energy, Sample{at, max(v, 0) + 5000}), append(o.Power, Sample{at, 7})
		if v >= 0 {
			o.Energy[len(o.Energy)-1].Value = v
		}
	}
	outlets := []Outlet{o}
	if err := p.RemoveOverlap(t.Context(), `j"ob`, "fridge", outlets); err != nil {
		t.Fatal(err)
	}
	for _, s := range outlets[0].Energy {
		v := s.Time.Sub(hour(9, 1, 0)).Hours() * 200
		want := max(v, 0)
		switch at := s.Time; {
		case at.Truncate(time.Hour).Equal(hour(9, 1, 3)), at.Truncate(time.Hour).Equal(hour(9, 1, 9)):
			t.Errorf("%v is there", at)
		case at.Before(hour(8, 31, 22)): // last month in Berlin
			want = 5000
		case v < 0:
			want = 500 // since that is what there is at three
		case at.Before(hour(9, 1, 3)):
			want = min(v, 500)
		case at.Before(hour(9, 1, 9)):
			want = min(max(v, 600), 1700)
		default:
			want = max(v, 1800)
		}
		if s.Value != want {
			t.Errorf("%v J at %v, want %v", s.Value, s.Time, want)
		}
	}
	if n := len(outlets[0].Energy); n != 32-4 {
		t.Errorf("%d energies", n)
	}
	if n := len(outlets[0].Power); n != 32-2 {
		t.Errorf("%d powers", n)
	}
	for _, form := range *queries {
		if !strings.Contains(form.Get("query"), `{job="j\"ob",instance="fridge"}[1h]`) || form.Get("step") != "1h" || !strings.HasSuffix(form.Get("start"), "59:59.999Z") {
			t.Errorf("%v", form)
		}
	}
}

// TestClamp: an hour in which a month ends in the plug's zone clamps nothing, nor
// does a value that is far off, which is another plug's.
func TestClamp(t *testing.T) {
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	border := time.Date(2026, 8, 31, 18, 0, 0, 0, time.UTC) // the month ends at half past
	h := hourly{border: {0, 9000}}
	samples := []Sample{{border.Add(-time.Hour), 7000}, {border.Add(90 * time.Minute), 100}}
	h.clamp(samples, samples, kolkata)
	if samples[0].Value != 7000 || samples[1].Value != 100 {
		t.Errorf("%v", samples)
	}
	h = hourly{border.Add(-10 * time.Hour): {6e8, 6e8}}
	h.clamp(samples, samples, kolkata)
	if samples[0].Value != 7000 {
		t.Errorf("%v", samples)
	}
}

// TestMonthEnds: what a counter has come to in a month is kept in the hour in
// which a server went down, unless it came back in the next one.
func TestMonthEnds(t *testing.T) {
	end := time.Date(2026, 8, 31, 23, 0, 0, 0, time.UTC)
	samples := []Sample{{end.Add(30 * time.Minute), 3000}, {end.Add(time.Hour - time.Second), 4500}, {end.Add(time.Hour), 0}}
	for _, tc := range []struct {
		h    hourly
		want int
	}{
		{hourly{end: {2000, 3100}}, 2},
		{hourly{end: {2000, 5000}}, 1},
		{hourly{end: {2000, 3100}, end.Add(time.Hour): {0, 10}}, 0},
	} {
		if left := tc.h.withoutEnergies(slices.Clone(samples), time.UTC); len(left) != tc.want {
			t.Errorf("%v: %v", tc.h, left)
		}
	}
}
