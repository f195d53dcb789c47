// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package backfill turns what a plug remembers into the samples that Prometheus
// would have, had it scraped all the time.
//
// A plug tells energies by the hour for about a week, by the day for a quarter
// or two, by the month for a year, and powers by five minutes for half a day.
// Each stretch of time is taken from the finest of them, but so that coarser
// ones, which a plug rounds only once, still add up: hours are stretched to
// their day, days to their month. A stretch becomes samples at the steps of the
// next finer resolution: a month those of its days, a day those of its hours, an
// hour every five minutes. Its power is the same all the time, and the counter
// rises evenly.
package backfill

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// Sample is the value of a series at a time.
type Sample struct {
	Time  time.Time
	Value float64
}

// Outlet is what a socket's memory comes to.
type Outlet struct {
	Number int
	Energy []Sample // joules since the first of the plug's month, as the live counter has it
	Power  []Sample // watts

	Location *time.Location // of the plug's clock
	Sources  []Source       // what the samples are made from, the finest first
}

// Span returns the times of the first and of the last sample of all outlets, zero
// where there is none.
func Span(outlets []Outlet) (first, last time.Time) {
	for _, o := range outlets {
		for _, s := range slices.Concat(o.Energy, o.Power) {
			if first.IsZero() || s.Time.Before(first) {
				first = s.Time
			}
			if s.Time.After(last) {
				last = s.Time
			}
		}
	}
	return first, last
}

// Source is how much of a history has been used.
type Source struct {
	Resolution tapo.Interval
	Slots      int
}

// Range says which samples are wanted.
type Range struct {
	From, To Moment        // both included
	Finest   tapo.Interval // the finest history to use
	Now      time.Time
}

// How far back plugs remember.
const (
	hoursKept  = 7 // whole days before today
	powersKept = 12 * time.Hour
	monthsKept = 12 // before this one
)

// Plug is the memory of one, as [tapo.Device] tells it.
type Plug interface {
	Describe(ctx context.Context) (tapo.Description, error)
	EnergyHistory(ctx context.Context, outlet int, i tapo.Interval, from, to time.Time) ([]tapo.EnergySlot, error)
	PowerHistory(ctx context.Context, outlet int, i tapo.Interval, from, to time.Time) ([]tapo.PowerSlot, error)
}

// Errors of plugs that have nothing to say.
var (
	ErrEmpty   = errors.New("its history holds nothing above zero")
	ErrOutside = errors.New("its history has no slot that is over in that time: widen --from and --to, or take a finer --resolution")
)

// Read asks a plug for the memory of all of its sockets. It takes at most six
// exchanges for each. The error is an [*tapo.Error], [ErrEmpty] or [ErrOutside].
func Read(ctx context.Context, plug Plug, r Range) ([]Outlet, error) {
	desc, err := plug.Describe(ctx)
	if err != nil {
		return nil, err
	}
	if len(desc.Outlets) == 0 || desc.Location == nil { // which the first request says in words
		desc.Outlets, desc.Location = []int{1}, time.UTC
	}
	outlets := make([]Outlet, 0, len(desc.Outlets))
	empty, outside := true, true
	for _, number := range desc.Outlets {
		told, err := ask(ctx, plug, number, desc.Location, r)
		if err != nil {
			return nil, err
		}
		o, above := told.outlet(number, desc.Location, r)
		outlets = append(outlets, o)
		empty, outside = empty && !above, outside && len(o.Energy)+len(o.Power) == 0
	}
	switch {
	case empty:
		return nil, ErrEmpty
	case outside:
		return nil, ErrOutside
	}
	return outlets, nil
}

// told is what a plug has told of one socket.
type told struct {
	months, days, hours []tapo.EnergySlot
	powers              []tapo.PowerSlot
}

// ask asks for the histories that have a part in the range. Whatever is before in
// its first month counts for the counter.
func ask(ctx context.Context, plug Plug, outlet int, loc *time.Location, r Range) (t told, err error) {
	from, to, today := r.From.In(loc), r.To.In(loc), r.Now.In(loc)
	year, month, day := today.Date()
	if oldest := firstOf(year, month-monthsKept, loc); from.Before(oldest) {
		from = oldest
	}
	begins := firstOf(from.Year(), from.Month(), loc)
	daysFrom := latest(begins, firstOf(year, month-(month-1)%3-3, loc))
	hoursFrom := latest(tapo.StartOfDay(from.Year(), from.Month(), from.Day(), loc), tapo.StartOfDay(year, month, day-hoursKept, loc))
	powersFrom := latest(from, r.Now.Add(-powersKept))

	energies := func(i tapo.Interval, from time.Time) ([]tapo.EnergySlot, error) {
		if r.Finest > i || !from.Before(to) {
			return nil, nil
		}
		slots, err := plug.EnergyHistory(ctx, outlet, i, from, r.Now)
		if errors.Is(err, tapo.ErrNoHistory) && i != tapo.Monthly {
			return nil, nil // the months tell whether there is none at all
		}
		return slots, err
	}
	if t.hours, err = energies(tapo.Hourly, hoursFrom); err != nil {
		return t, err
	}
	if t.days, err = energies(tapo.Daily, daysFrom); err != nil {
		return t, err
	}
	// Months come last, so that the one in progress is not behind its days.
	t.months, err = energies(tapo.Monthly, begins)
	if errors.Is(err, tapo.ErrNoHistory) && len(t.days)+len(t.hours) > 0 {
		err = nil
	}
	if err != nil {
		return t, err
	}
	if r.Finest <= tapo.FiveMinutes && powersFrom.Before(to) {
		t.powers, err = plug.PowerHistory(ctx, outlet, tapo.FiveMinutes, powersFrom, to.Add(fiveMinutes)) // the last sample begins a slot
		if errors.Is(err, tapo.ErrNoHistory) {
			err = nil // which firmware before 2024 has not
		}
	}
	return t, err
}

// outlet makes samples of what was told. It also reports whether any energy, at
// any time, is above zero.
func (t told) outlet(number int, loc *time.Location, r Range) (o Outlet, above bool) {
	stretches := t.stretches(loc)
	o = Outlet{
		Number: number, Location: loc,
		Energy: counter(stretches), Power: powers(stretches, t.powers),
	}
	from, to := r.From.In(loc), r.To.In(loc)
	outside := func(s Sample) bool { return s.Time.Before(from) || s.Time.After(to) }
	o.Energy, o.Power = slices.DeleteFunc(o.Energy, outside), slices.DeleteFunc(o.Power, outside)
	o.Sources = t.sources(stretches, from, to)
	inProgress := func(s tapo.EnergySlot) bool { return s.InProgress && s.Joules > 0 }
	return o, len(stretches) > 0 || slices.ContainsFunc(t.months, inProgress)
}

// sources counts what the samples between two times are from.
func (t told) sources(stretches []stretch, from, to time.Time) []Source {
	count := map[tapo.Interval]int{}
	for _, s := range stretches {
		if s.end.After(from) && s.start.Before(to) {
			count[s.from]++
		}
	}
	for _, p := range t.powers {
		if p.End.After(from) && p.Start.Before(to) {
			count[tapo.FiveMinutes]++
		}
	}
	var sources []Source
	for _, i := range []tapo.Interval{tapo.FiveMinutes, tapo.Hourly, tapo.Daily, tapo.Monthly} {
		if count[i] > 0 {
			sources = append(sources, Source{i, count[i]})
		}
	}
	return sources
}

func firstOf(year int, month time.Month, loc *time.Location) time.Time {
	return tapo.StartOfDay(year, month, 1, loc).In(loc)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
