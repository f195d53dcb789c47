// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"math"
	"slices"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

const fiveMinutes = 5 * time.Minute

// sampleTimes returns the times of the samples in a window, its start included
// and its end not.
func (w window) sampleTimes() []time.Time {
	var times []time.Time
	for t := w.start; t.Before(w.end); {
		times = append(times, t)
		switch w.resolution {
		case tapo.Monthly:
			t = latest(t.Add(time.Hour), tapo.StartOfDay(t.Year(), t.Month(), t.Day()+1, t.Location())).In(t.Location())
		case tapo.Daily:
			t = t.Add(time.Hour)
		default:
			t = t.Add(fiveMinutes)
		}
	}
	return times
}

// energySamples returns the samples of a counter that begins at zero with each of
// the plug's months. Its last value in a month is a sample one second before the
// next month.
func energySamples(windows []window) []Sample {
	var samples []Sample
	count := 0.0
	add := func(t time.Time, joules float64) { samples = append(samples, Sample{t.UTC(), math.Round(joules)}) }
	for i, w := range windows {
		follows := i > 0 && w.start.Equal(windows[i-1].end)
		if i > 0 && !sameMonth(w.start, windows[i-1].start) {
			count, follows = 0, false
		}
		for n, t := range w.sampleTimes() {
			if n > 0 || !follows { // else the window before has a sample at its end
				add(t, count+w.joules*t.Sub(w.start).Seconds()/w.end.Sub(w.start).Seconds())
			}
		}
		count += w.joules
		if sameMonth(w.start, w.end) {
			add(w.end, count)
		} else {
			add(w.end.Add(-time.Second), count)
		}
	}
	return samples
}

func sameMonth(a, b time.Time) bool { return a.Month() == b.Month() && a.Year() == b.Year() }

// powerSamples returns the average powers, those of five minutes where there are
// any. There are none from before the first energy.
func powerSamples(windows []window, fine []tapo.PowerSlot) []Sample {
	var samples []Sample
	known := map[int64]bool{}
	slot := func(t time.Time) int64 { return t.Unix() / int64(fiveMinutes/time.Second) }
	for _, p := range fine {
		if len(windows) == 0 || p.Start.Before(windows[0].start) {
			continue
		}
		samples = append(samples, Sample{p.Start, p.Watts})
		known[slot(p.Start)] = true
	}
	for _, w := range windows {
		watts := w.joules / w.end.Sub(w.start).Seconds()
		for _, t := range w.sampleTimes() {
			if !known[slot(t)] {
				samples = append(samples, Sample{t.UTC(), math.Round(watts*1000) / 1000})
			}
		}
	}
	slices.SortFunc(samples, func(a, b Sample) int { return a.Time.Compare(b.Time) })
	return samples
}
