// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"math"
	"time"
)

// meter is the relay, the clock and the energy counters of an outlet.
// [meter.advance] integrates the load, each time the counters are used.
type meter struct {
	load     Load
	location *time.Location
	offset   time.Duration // the plug's clock minus the true time

	on           bool
	onSince      time.Time // when it was last switched on
	countedUntil time.Time // the counters include the time before this

	today, month counters
	atMidnight   counters // month at the last midnight

	log energyLog
}

// counters are those of one window of time. Energy that is fed back is counted apart
// from what is drawn.
type counters struct {
	drawn, returned float64 // Wh
	runtime         time.Duration
}

// newMeter returns a meter that has been running, with its relay as given, since
// setUp.
func newMeter(load Load, on bool, location *time.Location, setUp, now time.Time) meter {
	if load == nil {
		load = Constant(0)
	}
	m := meter{load: load, location: location, on: on, onSince: now}
	local := now.In(location)
	m.countedUntil = time.Date(local.Year(), local.Month(), 1, 0, 0, 0, 0, location)
	if setUp.After(m.countedUntil) {
		m.countedUntil = setUp
	}
	m.log = newEnergyLog(setUp, m.countedUntil, on)
	m.advance(now)
	return m
}

// clock returns the time by the plug's clock.
func (m *meter) clock(now time.Time) time.Time { return now.Add(m.offset).In(m.location) }

// standardOffset returns the zone's offset from UTC in minutes without daylight
// saving. That is what time_diff means: python-kasa's recordings have -300 in New York
// in summer.
func (m *meter) standardOffset(at time.Time) int {
	_, january := time.Date(at.Year(), time.January, 1, 0, 0, 0, 0, m.location).Zone()
	_, july := time.Date(at.Year(), time.July, 1, 0, 0, 0, 0, m.location).Zone()
	return min(january, july) / 60
}

// advance integrates the load up to now, in steps of a second, or of a minute over
// more than an hour. The counters drop to 0 at midnight, and at the end of the month,
// by the plug's clock.
func (m *meter) advance(now time.Time) {
	if now.Before(m.countedUntil) {
		m.countedUntil = now
	}
	step := time.Second
	if now.Sub(m.countedUntil) > time.Hour {
		step = time.Minute
	}
	local := m.clock(m.countedUntil)
	for m.countedUntil.Before(now) {
		took := min(step, now.Sub(m.countedUntil), untilSlot(local))
		if m.on {
			wattHours := m.load.Watts(m.countedUntil) * took.Hours()
			m.today.add(wattHours, took)
			m.month.add(wattHours, took)
			m.log.add(slotOf(local), drawn(wattHours))
		}
		m.countedUntil = m.countedUntil.Add(took)
		before := local
		local = m.clock(m.countedUntil)
		switch { // no step contains midnight, since a slot ends there
		case local.Month() != before.Month():
			m.today, m.month, m.atMidnight = counters{}, counters{}, counters{}
		case local.Day() != before.Day():
			m.today, m.atMidnight = counters{}, m.month
		}
	}
}

func (c *counters) add(wattHours float64, d time.Duration) {
	c.drawn += drawn(wattHours)
	c.returned += drawn(-wattHours)
	c.runtime += d
}

// drawn is an energy, or 0 if it is fed back.
func drawn(wattHours float64) float64 { return max(wattHours, 0) }

func (m *meter) setRelay(on bool, now time.Time) {
	m.advance(now)
	if on && !m.on {
		m.onSince = now
	}
	m.on = on
}

func (m *meter) setClock(offset time.Duration, now time.Time) {
	m.advance(now)
	m.offset = offset
	m.today, m.month, m.atMidnight = counters{}, counters{}, counters{}
	m.log = newEnergyLog(m.clock(now), m.clock(now), m.on)
}

// sample is a reading of the meter.
type sample struct {
	clock        time.Time
	on           bool
	onTime       time.Duration
	milliwatts   int // negative while power is fed back
	millivolts   int
	milliamperes int
	today, month counters

	drawn, returned tally
}

// tally is the energy of the day and of the month, as a plug counts it.
type tally struct{ todayWh, monthWh, todayMWh, monthMWh int }

// newTally rounds the energies of a month, so far and up to the last midnight.
func newTally(month, atMidnight float64) tally {
	t := tally{monthWh: wholeWh(month), monthMWh: wholeWh(1000 * month)}
	t.todayWh, t.todayMWh = t.monthWh-wholeWh(atMidnight), t.monthMWh-wholeWh(1000*atMidnight)
	return t
}

func (m *meter) sample(now time.Time) sample {
	m.advance(now)
	s := sample{
		clock: m.clock(now), on: m.on, today: m.today, month: m.month,
		drawn: newTally(m.month.drawn, m.atMidnight.drawn), returned: newTally(m.month.returned, m.atMidnight.returned),
	}
	volts := 231 + 2.5*math.Sin(float64(now.Unix())/613) + 0.4*noise(now, 7)
	s.millivolts = int(volts * 1000)
	if m.on {
		s.onTime = now.Sub(m.onSince)
		watts := m.load.Watts(now)
		s.milliwatts = int(watts * 1000)
		size := math.Abs(watts) // the current has no sign
		powerFactor := 0.55 + 0.44*size/(size+40)
		s.milliamperes = int(size / volts / powerFactor * 1000)
	}
	return s
}
