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

// steps returns the times of the samples in a stretch, its start included and its
// end not.
func (s stretch) steps() []time.Time {
	var steps []time.Time
	for t := s.start; t.Before(s.end); {
		steps = append(steps, t)
		switch s.from {
		case tapo.Monthly:
			t = latest(t.Add(time.Hour), tapo.StartOfDay(t.Year(), t.Month(), t.Day()+1, t.Location())).In(t.Location())
		case tapo.Daily:
			t = t.Add(time.Hour)
		default:
			t = t.Add(fiveMinutes)
		}
	}
	return steps
}

// counter returns the samples of a counter that begins at zero with each of the
// plug's months. What it has come to in one is a sample a second before the next.
func counter(stretches []stretch) []Sample {
	var samples []Sample
	count := 0.0
	add := func(t time.Time, joules float64) { samples = append(samples, Sample{t.UTC(), math.Round(joules)}) }
	for i, s := range stretches {
		follows := i > 0 && s.start.Equal(stretches[i-1].end)
		if i > 0 && !sameMonth(s.start, stretches[i-1].start) {
			count, follows = 0, false
		}
		for n, t := range s.steps() {
			if n > 0 || !follows { // else it has been the end of the one before
				add(t, count+s.joules*t.Sub(s.start).Seconds()/s.end.Sub(s.start).Seconds())
			}
		}
		count += s.joules
		if sameMonth(s.start, s.end) {
			add(s.end, count)
		} else {
			add(s.end.Add(-time.Second), count)
		}
	}
	return samples
}

func sameMonth(a, b time.Time) bool { return a.Month() == b.Month() && a.Year() == b.Year() }

// powers returns the average powers, those of five minutes where there are any.
// There are none from before the first energy.
func powers(stretches []stretch, fine []tapo.PowerSlot) []Sample {
	var samples []Sample
	known := map[int64]bool{}
	slot := func(t time.Time) int64 { return t.Unix() / int64(fiveMinutes/time.Second) }
	for _, p := range fine {
		if len(stretches) == 0 || p.Start.Before(stretches[0].start) {
			continue
		}
		samples = append(samples, Sample{p.Start, p.Watts})
		known[slot(p.Start)] = true
	}
	for _, s := range stretches {
		watts := s.joules / s.end.Sub(s.start).Seconds()
		for _, t := range s.steps() {
			if !known[slot(t)] {
				samples = append(samples, Sample{t.UTC(), math.Round(watts*1000) / 1000})
			}
		}
	}
	slices.SortFunc(samples, func(a, b Sample) int { return a.Time.Compare(b.Time) })
	return samples
}
