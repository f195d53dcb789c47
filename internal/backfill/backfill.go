// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package backfill turns the history that a plug stores into the samples that
// Prometheus would have if it had scraped the plug all the time.
//
// A plug stores energy by the hour for about a week, by the day for a quarter or
// two and by the month for a year, and power by five minutes for half a day. A
// window of time is taken from the finest of these histories. A plug rounds each
// value once, so the coarser ones are more exact: hours are scaled to the energy
// of their day, and days to that of their month.
//
// A window becomes samples at the steps of the next finer resolution: a month at
// those of its days, a day at those of its hours, an hour every five minutes. Its
// power is constant, and the counter rises evenly.
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

// Outlet is the series of an outlet.
type Outlet struct {
	Number int
	Energy []Sample // joules since the first of the plug's month, like the scraped counter
	Power  []Sample // watts

	Directed bool           // it measures the direction: Energy is what was drawn, and there is no Power
	Location *time.Location // of the plug's clock
	Sources  []Source       // what the samples are made from, the finest first
}

// Source is how much of a history has been used.
type Source struct {
	Resolution tapo.Interval
	Slots      int
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

// Errors of plugs whose histories make no samples.
var (
	ErrEmpty   = errors.New("its history holds nothing above zero")
	ErrOutside = errors.New("its history has no slot that is over in that time: widen --from and --to, or take a finer --resolution")
)

// Read reads the histories of all outlets of a plug. It takes at most six
// exchanges for each. The error is an [*tapo.Error], [ErrEmpty] or [ErrOutside].
func Read(ctx context.Context, plug Plug, r Range) ([]Outlet, error) {
	desc, err := plug.Describe(ctx)
	if err != nil {
		return nil, err
	}
	if len(desc.Outlets) == 0 || desc.Location == nil { // the first request returns an error that explains it
		desc.Outlets, desc.Location = []int{1}, time.UTC
	}
	reading, err := plug.Read(ctx)
	if err != nil {
		return nil, err
	}
	directed := directed(reading)
	outlets := make([]Outlet, 0, len(desc.Outlets))
	empty, outside := true, true
	for _, number := range desc.Outlets {
		h, err := fetch(ctx, plug, number, directed[number], desc.Location, r)
		if err != nil {
			return nil, err
		}
		o, aboveZero := h.makeSeries(number, desc.Location, r)
		if directed[number] {
			o.Directed, o.Power = true, nil // an average of what was drawn would hide what was fed back
		}
		outlets = append(outlets, o)
		empty, outside = empty && !aboveZero, outside && len(o.Energy)+len(o.Power) == 0
	}
	switch {
	case empty:
		return nil, ErrEmpty
	case outside:
		return nil, ErrOutside
	}
	return outlets, nil
}

// makeSeries makes samples of a history. It also reports whether any energy, at any
// time, is above zero.
func (h history) makeSeries(number int, loc *time.Location, r Range) (o Outlet, aboveZero bool) {
	windows := h.finestWindows(loc)
	o = Outlet{
		Number: number, Location: loc,
		Energy: energySamples(windows), Power: powerSamples(windows, h.powers),
	}
	from, to := r.From.In(loc), r.To.In(loc)
	outside := func(s Sample) bool { return s.Time.Before(from) || s.Time.After(to) }
	o.Energy, o.Power = slices.DeleteFunc(o.Energy, outside), slices.DeleteFunc(o.Power, outside)
	o.Sources = h.countSlots(windows, from, to)
	inProgress := func(s tapo.EnergySlot) bool { return s.InProgress && s.Joules > 0 }
	return o, len(windows) > 0 || slices.ContainsFunc(h.months, inProgress)
}

// countSlots counts what the samples between two times are made from.
func (h history) countSlots(windows []window, from, to time.Time) []Source {
	count := map[tapo.Interval]int{}
	for _, w := range windows {
		if w.end.After(from) && w.start.Before(to) {
			count[w.resolution]++
		}
	}
	for _, p := range h.powers {
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
