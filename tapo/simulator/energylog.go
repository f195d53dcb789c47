// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"math"
	"time"
)

// energyLog is the energy history that a plug stores, in slots of five minutes of its
// own clock. It is of what was drawn; what the history of a plug has that feeds in is not
// recorded anywhere. [meter.fillLog] computes the time before the simulation from the load,
// when a request needs it.
type energyLog struct {
	slots []float64 // Wh
	first int64     // the number of the first slot
	setUp time.Time // there is nothing before this time
	from  time.Time // the slots begin at this time
	on    bool      // the relay before the simulation began
}

const slotWidth = 5 * time.Minute

// slotOf returns the number of the slot of a time by the plug's clock.
func slotOf(clock time.Time) int64 { return clock.Unix() / int64(slotWidth/time.Second) }

// untilSlot returns the time until the next slot begins.
func untilSlot(clock time.Time) time.Duration {
	return slotWidth - time.Duration(clock.UnixNano()%int64(slotWidth))
}

// newEnergyLog returns a log that begins at a time by the plug's clock.
func newEnergyLog(setUp, from time.Time, on bool) energyLog {
	return energyLog{first: slotOf(from), setUp: setUp, from: from, on: on}
}

func (l *energyLog) add(slot int64, wattHours float64) {
	n := slot - l.first
	if n < 0 {
		return // the simulation's clock went back
	}
	for int64(len(l.slots)) <= n {
		l.slots = append(l.slots, 0)
	}
	l.slots[n] += wattHours
}

func (l *energyLog) at(slot int64) float64 {
	if n := slot - l.first; n >= 0 && n < int64(len(l.slots)) {
		return l.slots[n]
	}
	return 0
}

// fillLog extends the log back to a time.
func (m *meter) fillLog(from time.Time) {
	log := &m.log
	if from.Before(log.setUp) {
		from = log.setUp
	}
	if !from.Before(log.from) {
		return
	}
	past := newEnergyLog(log.setUp, from, log.on)
	for t := from; log.on && t.Before(log.from); {
		took := min(time.Minute, log.from.Sub(t), untilSlot(t))
		past.add(slotOf(t), drawn(m.load.Watts(t)*took.Hours()))
		t = t.Add(took)
	}
	for n, wattHours := range log.slots {
		past.add(log.first+int64(n), wattHours)
	}
	m.log = past
}

// wholeWh rounds down to whole watt-hours, as plugs count.
func wholeWh(wattHours float64) int { return int(math.Floor(wattHours + 1e-6)) }

// energies returns the whole watt-hours between successive times. No interval
// contains the end of a month. The values of a month add up to the month's counter.
// A value before kept, or in the future, is 0.
func (m *meter) energies(times []time.Time, kept, now time.Time) []int {
	counted := 0.0
	count := func(from, to time.Time) {
		for at := from; at.Before(to) && at.Before(now); at = at.Add(slotWidth) {
			counted += m.log.at(slotOf(at))
		}
	}
	m.fillLog(m.monthOf(kept))
	count(m.monthOf(times[0]), times[0])
	values := make([]int, len(times)-1)
	for i, start := range times[:len(times)-1] {
		if m.monthOf(start).Equal(start) {
			counted = 0
		}
		before := wholeWh(counted)
		count(start, times[i+1])
		if !start.Before(kept) {
			values[i] = wholeWh(counted) - before
		}
	}
	return values
}

// powers returns the average watts of successive slots of the same width. A slot
// before kept, or one that has not ended, is -1.
func (m *meter) powers(start time.Time, width time.Duration, n int, kept, now time.Time) []int {
	m.fillLog(kept)
	values := make([]int, n)
	for i := range values {
		from, to := start.Add(time.Duration(i)*width), start.Add(time.Duration(i+1)*width)
		if from.Before(kept) || from.Before(m.log.setUp) || to.After(now) {
			values[i] = -1
			continue
		}
		wattHours := 0.0
		for at := from; at.Before(to); at = at.Add(slotWidth) {
			wattHours += m.log.at(slotOf(at))
		}
		values[i] = int(math.Round(wattHours / width.Hours()))
	}
	return values
}

// monthOf returns the beginning of the month of a time.
func (m *meter) monthOf(at time.Time) time.Time {
	year, month, _ := at.In(m.location).Date()
	return m.startOfDay(year, month, 1)
}

// startOfDay returns the first instant of a date. Where daylight saving begins at
// midnight that is one o'clock. Where midnight comes twice, it is the first one.
func (m *meter) startOfDay(year int, month time.Month, day int) time.Time {
	t := time.Date(year, month, day, 12, 0, 0, 0, m.location)
	today := t.Day()
	for t.Add(-slotWidth).Day() == today {
		t = t.Add(-slotWidth)
	}
	return t
}
