// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// The largest numbers in one reply (EnergyDataInterval and PowerDataInterval of
// mihai-dinculescu/tapo).
const (
	maxHourlyDays = 8
	maxPowerSlots = 144
)

// window is the time of one request. It must start where the plug's slots do: for another
// start, a plug returns values of other times without saying so
// (mihai-dinculescu/tapo#221).
type window struct {
	start, until time.Time   // as sent: until is start if the plug ignores it
	slots        []time.Time // the starts of the slots, and the end of the last one
}

// end returns the time at which the next window begins.
func (w window) end() time.Time {
	if len(w.slots) == 0 {
		return time.Time{}
	}
	return w.slots[len(w.slots)-1]
}

// energyWindow returns the window of energies that contains a time: eight days by the hour,
// a quarter by the day, or a year by the month.
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

// powerWindow returns the window of powers that begins with the slot of a time. Its end is
// exclusive.
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

// wallClock returns the starts of the slots of hourly energies if a plug has 24 slots on
// every day. On the day when daylight saving begins, one of them is empty. On the day when
// it ends, one of them has two hours. Which of the two ways plugs count is not published.
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

// hoursOf returns the starts of the 24 hours of a day's wall clock.
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
