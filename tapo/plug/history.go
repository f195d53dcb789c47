// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package plug

import (
	"errors"
	"time"
)

// Errors of what a plug remembers. They are wrapped in errors of package tapo.
var (
	// ErrNoHistory says that the plug, or the outlet, does not remember what is
	// asked for: not every model and firmware does.
	ErrNoHistory = errors.New("the plug keeps no such history")
	// ErrNoClock says that the plug's clock is not set, or wrong by more than half
	// an hour, so that nobody knows of which time its slots are.
	ErrNoClock = errors.New("the plug's clock is wrong")
	// ErrNoZone says that the plug's time zone, by which its slots are aligned, is
	// unknown.
	ErrNoZone = errors.New("the plug's time zone is unknown")
)

// Description is what a plug says of itself, beside what it measures.
type Description struct {
	Info     Info
	Location *time.Location // of the plug's clock; nil if it names none that is known
	Outlets  []int          // the numbers of the outlets that may remember energy
}

// EnergySlot is the energy that an outlet drew in a slot of its history. Start
// and End are in UTC.
type EnergySlot struct {
	Start, End time.Time
	Joules     float64
	InProgress bool // End is when it was read
}

// PowerSlot is the average power of an outlet in a slot of its history. Start
// and End are in UTC.
type PowerSlot struct {
	Start, End time.Time
	Watts      float64
}

// Interval is how wide the slots of a plug's history are.
type Interval int

// The intervals that plugs keep. Slots begin with the five minutes, hours, days
// and months of the plug's own wall clock.
const (
	FiveMinutes Interval = 5 // in minutes, as plugs are asked for them
	Hourly      Interval = 60
	Daily       Interval = 24 * 60
	Monthly     Interval = 30 * 24 * 60
)

// Width is that of slots that are all as wide: not that of days, which may have
// 23 or 25 hours, and of months.
func (i Interval) Width() time.Duration { return time.Duration(i) * time.Minute }

// StartOfDay returns the first instant of a date in a plug's zone, which is where
// its days begin. The day may lie outside of the month as in [time.Date]. Where
// daylight saving begins or ends at midnight, that is one o'clock, or the first of
// two midnights.
func StartOfDay(year int, month time.Month, day int, loc *time.Location) time.Time {
	noon := time.Date(year, month, day, 12, 0, 0, 0, loc)
	midnight := time.Date(year, month, day, 0, 0, 0, 0, loc)
	for _, t := range []time.Time{midnight.Add(-time.Hour), midnight} {
		if t.Day() == noon.Day() {
			return t.UTC()
		}
	}
	return midnight.Add(time.Hour).UTC()
}
