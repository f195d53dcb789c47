// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"math"
	"slices"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// window is a time of which nothing finer is known than the energy in it.
type window struct {
	start, end time.Time // local to the plug, and within one of its months
	joules     float64
	resolution tapo.Interval // of the history that it is from
}

// wattHour is what plugs round energies to, in joules.
const wattHour = 3600.0

// agree reports whether the sum of a number of rounded energies can be the same
// as one that was rounded as a whole. A sum of zero does not show when the whole
// was drawn.
func agree(sum, whole float64, energies int) bool {
	return math.Abs(sum-whole) <= float64(energies+1)*wattHour && (sum > 0 || whole == 0)
}

// finestWindows returns what is known, in order and without overlaps. It leaves
// out slots in progress, and begins with the first energy above zero: a plug does
// not report when it was first used.
func (h history) finestWindows(loc *time.Location) []window {
	all := h.hoursAndDays(loc)
	for _, month := range h.months {
		begin, end := indexes(all, month)
		all = slices.Replace(all, begin, end, h.fillMonth(month, loc, all[begin:end])...)
	}
	first := slices.IndexFunc(all, func(w window) bool { return w.joules > 0 })
	if first < 0 {
		return nil
	}
	return all[first:]
}

// indexes returns which of the sorted windows lie in a slot.
func indexes(all []window, slot tapo.EnergySlot) (begin, end int) {
	from := func(t time.Time) int {
		n, _ := slices.BinarySearchFunc(all, t, func(w window, t time.Time) int { return w.start.Compare(t) })
		return n
	}
	return from(slot.Start), from(slot.End)
}

// hoursAndDays returns the hours, and the days of which hours are missing.
func (h history) hoursAndDays(loc *time.Location) []window {
	var all []window
	for _, hour := range h.hours {
		if !hour.InProgress {
			all = append(all, window{hour.Start.In(loc), hour.End.In(loc), hour.Joules, tapo.Hourly})
		}
	}
	for _, day := range h.days {
		begin, end := indexes(all, day)
		hours := all[begin:end]
		whole := window{day.Start.In(loc), day.End.In(loc), day.Joules, tapo.Daily}
		switch {
		case day.InProgress: // its hours so far are all that is over
		case covers(hours, whole) && agree(total(hours), day.Joules, len(hours)):
			scale(hours, day.Joules)
		default: // the plug has dropped some of its hours
			all = slices.Replace(all, begin, end, whole)
		}
	}
	return all
}

// fillMonth returns the windows of a month, given those of its hours and days.
func (h history) fillMonth(month tapo.EnergySlot, loc *time.Location, days []window) []window {
	if len(days) == 0 {
		if month.InProgress {
			return nil
		}
		return []window{{month.Start.In(loc), month.End.In(loc), month.Joules, tapo.Monthly}}
	}
	sum, rounded := total(days), int(days[len(days)-1].end.Sub(days[0].start).Hours()/24)
	if n := slices.IndexFunc(h.days, func(s tapo.EnergySlot) bool { return s.InProgress }); n >= 0 && month.InProgress {
		midnight, _ := indexes(days, h.days[n])
		sum = total(days[:midnight]) + h.days[n].Joules
	}
	if month.InProgress && month.Joules > 0 && total(days) > month.Joules {
		scale(days, month.Joules) // a counter above the scraped one would look like a counter reset
		return days
	}
	switch missing := month.Joules - sum; {
	case agree(sum, month.Joules, rounded) && month.InProgress: // rounding may drop more until the month is over
	case agree(sum, month.Joules, rounded):
		scale(days, month.Joules)
	case missing > 0: // at the month's beginning, where there are no days, or none is above zero
		known := slices.IndexFunc(days, func(w window) bool { return w.joules > 0 })
		begins := days[len(days)-1].end
		if known < 0 {
			known = len(days)
		} else {
			begins = days[known].start
		}
		if begins.After(month.Start) {
			return append([]window{{month.Start.In(loc), begins, missing, tapo.Monthly}}, days[known:]...)
		}
	}
	return days
}

func total(all []window) (joules float64) {
	for _, w := range all {
		joules += w.joules
	}
	return joules
}

// covers reports whether windows fill a whole one without a gap.
func covers(parts []window, whole window) bool {
	at := whole.start
	for _, p := range parts {
		if !p.start.Equal(at) {
			return false
		}
		at = p.end
	}
	return at.Equal(whole.end)
}

// scale makes windows add up to a total.
func scale(all []window, joules float64) {
	if sum := total(all); sum > 0 {
		for i := range all {
			all[i].joules *= joules / sum
		}
	}
}
