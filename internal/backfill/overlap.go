// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"context"
	"math"
	"slices"
	"time"
)

// extremes are the values of a series in an hour.
type extremes struct{ lowest, highest float64 }

// hourly is what a server has of a series, by hours of UTC.
type hourly map[time.Time]extremes

// longestMonth is how far from a sample an hour can be that clamps it.
const longestMonth = 31 * 24 * time.Hour

// RemoveOverlap removes the samples of hours of which a server has some: of the
// energies and powers of the outlets of an instance. The energies that stay are clamped to the server's values before and
// after them.
func (p Prometheus) RemoveOverlap(ctx context.Context, job, instance string, outlets []Outlet) error {
	from, to := Span(outlets)
	from, to = from.Add(-longestMonth), to.Add(longestMonth)
	energies, err := p.coverage(ctx, p.Names.Energy, job, instance, from, to)
	if err != nil {
		return err
	}
	powers, err := p.coverage(ctx, p.Names.Power, job, instance, from, to)
	if err != nil {
		return err
	}
	if len(energies)+len(powers) == 0 {
		return p.checkJob(ctx, job, instance, to)
	}
	for i := range outlets {
		o := &outlets[i]
		all := slices.Clone(o.Energy)
		o.Energy, o.Power = energies[o.Number].withoutEnergies(o.Energy, o.Location), powers[o.Number].without(o.Power)
		energies[o.Number].clamp(o.Energy, all, o.Location)
	}
	return nil
}

// without removes the samples of the hours that a server has.
func (h hourly) without(samples []Sample) []Sample {
	return slices.DeleteFunc(samples, func(s Sample) bool {
		_, has := h[s.Time.Truncate(time.Hour)]
		return has
	})
}

// withoutEnergies does so with a counter. It keeps the last sample of a month if
// the server has nothing of the hour after, in which the counter begins at zero:
// without that sample, the energy until then would be lost.
func (h hourly) withoutEnergies(samples []Sample, loc *time.Location) []Sample {
	return slices.DeleteFunc(samples, func(s Sample) bool {
		known, has := h[s.Time.Truncate(time.Hour)]
		next := s.Time.Add(time.Second)
		_, hasNext := h[next.Truncate(time.Hour)]
		endsMonth := !sameMonth(s.Time.In(loc), next.In(loc)) && !hasNext && s.Value >= known.highest
		return has && !endsMonth
	})
}

// clamp keeps the samples of a counter between the server's values in the hours
// around them. Rounding, and days that are spread evenly, may put a sample below
// the value before it or above the value after it, and Prometheus takes a counter
// that falls for a counter reset. Only hours of the same month count, since the
// counter begins at zero with each. A value before that is above all that the
// plug has counted in the month is of another plug, and is ignored.
func (h hourly) clamp(samples, all []Sample, loc *time.Location) {
	known := make([]time.Time, 0, len(h))
	for hour := range h {
		known = append(known, hour)
	}
	slices.SortFunc(known, time.Time.Compare)
	counted := map[time.Time]float64{} // by the month's beginning
	monthOf := func(t time.Time) time.Time { return firstOf(t.In(loc).Year(), t.In(loc).Month(), loc) }
	for _, s := range all {
		counted[monthOf(s.Time)] = max(counted[monthOf(s.Time)], s.Value+slack)
	}
	for i := range samples {
		s := &samples[i]
		local := s.Time.In(loc)
		after, _ := slices.BinarySearchFunc(known, s.Time, time.Time.Compare)
		if after < len(known) && sameMonth(known[after].In(loc), local) && withinMonth(known[after], loc) {
			s.Value = math.Min(s.Value, h[known[after]].lowest)
		}
		if after == 0 || !sameMonth(known[after-1].In(loc), local) || !withinMonth(known[after-1], loc) {
			continue
		}
		if before := h[known[after-1]].highest; before <= counted[monthOf(local)] {
			s.Value = math.Max(s.Value, before)
		}
	}
}

// slack is what the rounding of a month's days and a day's hours can add up to.
const slack = (31 + 24 + 1) * wattHour

// withinMonth reports whether an hour is within one month.
func withinMonth(hour time.Time, loc *time.Location) bool {
	return sameMonth(hour.In(loc), hour.Add(time.Hour-time.Millisecond).In(loc))
}
