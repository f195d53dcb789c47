// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// What plugs answer at most in one reply.
const (
	maxHourlyDays = 8
	maxPowerSlots = 144
)

// window is what a plug is asked for in one request. One whose start is not
// where the plug expects it is answered with values of other times, silently.
type window struct {
	start, until time.Time   // as sent: where the end makes no difference, it is the start
	slots        []time.Time // where the slots of the reply begin, and the last one ends
}

// end returns where the next window begins.
func (w window) end() time.Time {
	if len(w.slots) == 0 {
		return time.Time{}
	}
	return w.slots[len(w.slots)-1]
}

// energyWindow returns the request for energies that has the slot of a moment:
// eight days by the hour, a quarter by the day, or a year by the month.
func energyWindow(i plug.Interval, at time.Time, loc *time.Location) window {
	year, month, day := at.In(loc).Date()
	switch i {
	case plug.Hourly:
		start, end := plug.StartOfDay(year, month, day, loc), plug.StartOfDay(year, month, day+maxHourlyDays, loc)
		return window{start: start, until: end.Add(-time.Second), slots: evenly(start, end, time.Hour)}
	case plug.Daily:
		first := month - (month-1)%3
		w := window{}
		for day := 1; ; day++ {
			w.slots = append(w.slots, plug.StartOfDay(year, first, day, loc))
			if last := w.slots[day-1]; last.Equal(plug.StartOfDay(year, first+3, 1, loc)) {
				break
			}
		}
		w.start, w.until = w.slots[0], w.slots[0]
		return w
	default:
		w := window{}
		for month := time.January; month <= 13; month++ {
			w.slots = append(w.slots, plug.StartOfDay(year, month, 1, loc))
		}
		w.start, w.until = w.slots[0], w.slots[0]
		return w
	}
}

// powerWindow returns the request for powers that begins with the slot of a
// moment. Its end is not part of it.
func powerWindow(i plug.Interval, at time.Time, loc *time.Location) window {
	_, offset := at.In(loc).Zone()
	shift := time.Duration(offset) * time.Second
	start := at.Add(shift).Truncate(i.Width()).Add(-shift)
	end := start.Add(maxPowerSlots * i.Width())
	return window{start: start, until: end, slots: evenly(start, end, i.Width())}
}

// evenly divides the time from start to end; the last part may be shorter.
func evenly(start, end time.Time, width time.Duration) []time.Time {
	var slots []time.Time
	for t := start; t.Before(end); t = t.Add(width) {
		slots = append(slots, t)
	}
	return append(slots, end)
}

// wallClock returns where the slots of hourly energies begin if a plug counts 24
// of them on every day, also where daylight saving takes an hour away, which then
// is an empty slot, or gives one, which then is part of the slot before.
func (w window) wallClock(loc *time.Location) []time.Time {
	var slots []time.Time
	last := w.slots[len(w.slots)-1]
	year, month, day := w.start.In(loc).Date()
	for ; ; day++ {
		start, next := plug.StartOfDay(year, month, day, loc), plug.StartOfDay(year, month, day+1, loc)
		if !start.Before(last) {
			return append(slots, last)
		}
		slots = append(slots, hoursOf(start, next, loc)...)
	}
}

// hoursOf returns where the 24 hours of a day's wall clock begin.
func hoursOf(start, next time.Time, loc *time.Location) []time.Time {
	var hours []time.Time
	at := start
	for h := range 24 {
		for at.Before(next) && at.In(loc).Hour() < h {
			at = at.Add(time.Hour)
		}
		hours = append(hours, at)
	}
	return hours
}
