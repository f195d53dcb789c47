// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"math"
	"slices"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// stretch is a time of which nothing finer is known than the energy in it.
type stretch struct {
	start, end time.Time // local to the plug, and within one of its months
	joules     float64
	from       tapo.Interval // the history that it is from
}

// wattHour is what plugs round energies to, in joules.
const wattHour = 3600.0

// agree reports whether a sum of so many rounded energies can be the same as one
// that was rounded as a whole. If it is zero, it tells nothing of when the whole
// was drawn.
func agree(sum, whole float64, energies int) bool {
	return math.Abs(sum-whole) <= float64(energies+1)*wattHour && (sum > 0 || whole == 0)
}

// stretches returns what is known, in order, without overlaps and without what is
// not over yet. It begins with the first energy above zero, since a plug does not
// say since when it has been there.
func (t told) stretches(loc *time.Location) []stretch {
	all := t.dayByDay(loc)
	for _, month := range t.months {
		begin, end := within(all, month)
		all = slices.Replace(all, begin, end, t.month(month, loc, all[begin:end])...)
	}
	first := slices.IndexFunc(all, func(s stretch) bool { return s.joules > 0 })
	if first < 0 {
		return nil
	}
	return all[first:]
}

// within returns which of the sorted stretches lie in a slot.
func within(all []stretch, slot tapo.EnergySlot) (begin, end int) {
	from := func(t time.Time) int {
		n, _ := slices.BinarySearchFunc(all, t, func(s stretch, t time.Time) int { return s.start.Compare(t) })
		return n
	}
	return from(slot.Start), from(slot.End)
}

// dayByDay returns the hours, and the days of which there are none.
func (t told) dayByDay(loc *time.Location) []stretch {
	var all []stretch
	for _, h := range t.hours {
		if !h.InProgress {
			all = append(all, stretch{h.Start.In(loc), h.End.In(loc), h.Joules, tapo.Hourly})
		}
	}
	for _, day := range t.days {
		begin, end := within(all, day)
		hours := all[begin:end]
		whole := stretch{day.Start.In(loc), day.End.In(loc), day.Joules, tapo.Daily}
		switch {
		case day.InProgress: // its hours so far are all that is over
		case covers(hours, whole) && agree(total(hours), day.Joules, len(hours)):
			scale(hours, day.Joules)
		default: // the plug has forgotten some
			all = slices.Replace(all, begin, end, whole)
		}
	}
	return all
}

// month returns the stretches of a month, given those of its days.
func (t told) month(month tapo.EnergySlot, loc *time.Location, days []stretch) []stretch {
	if len(days) == 0 {
		if month.InProgress {
			return nil
		}
		return []stretch{{month.Start.In(loc), month.End.In(loc), month.Joules, tapo.Monthly}}
	}
	sum, rounded := total(days), int(days[len(days)-1].end.Sub(days[0].start).Hours()/24)
	if n := slices.IndexFunc(t.days, func(s tapo.EnergySlot) bool { return s.InProgress }); n >= 0 && month.InProgress {
		midnight, _ := within(days, t.days[n])
		sum = total(days[:midnight]) + t.days[n].Joules
	}
	if month.InProgress && month.Joules > 0 && total(days) > month.Joules {
		scale(days, month.Joules) // so that the live counter is not passed: it would seem to fall
		return days
	}
	switch forgotten := month.Joules - sum; {
	case agree(sum, month.Joules, rounded) && month.InProgress: // more may be lost in rounding until it is over
	case agree(sum, month.Joules, rounded):
		scale(days, month.Joules)
	case forgotten > 0: // at the beginning, where there are no days, or none is above zero
		known := slices.IndexFunc(days, func(s stretch) bool { return s.joules > 0 })
		begins := days[len(days)-1].end
		if known < 0 {
			known = len(days)
		} else {
			begins = days[known].start
		}
		if begins.After(month.Start) {
			return append([]stretch{{month.Start.In(loc), begins, forgotten, tapo.Monthly}}, days[known:]...)
		}
	}
	return days
}

func total(all []stretch) (joules float64) {
	for _, s := range all {
		joules += s.joules
	}
	return joules
}

// covers reports whether stretches leave nothing out of a whole.
func covers(parts []stretch, whole stretch) bool {
	at := whole.start
	for _, p := range parts {
		if !p.start.Equal(at) {
			return false
		}
		at = p.end
	}
	return at.Equal(whole.end)
}

// scale makes stretches add up to a total.
func scale(all []stretch, joules float64) {
	if sum := total(all); sum > 0 {
		for i := range all {
			all[i].joules *= joules / sum
		}
	}
}
