// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"context"
	"errors"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// How far back the histories of plugs reach.
const (
	hourlyRetention  = 7 // whole days before today
	powerRetention   = 12 * time.Hour
	monthlyRetention = 12 // months before this one
)

// Plug is what [Read] needs of a [tapo.Device].
type Plug interface {
	Describe(ctx context.Context) (tapo.Description, error)
	Read(ctx context.Context) (tapo.Reading, error)
	EnergyHistory(ctx context.Context, outlet int, i tapo.Interval, from, to time.Time) ([]tapo.EnergySlot, error)
	PowerHistory(ctx context.Context, outlet int, i tapo.Interval, from, to time.Time) ([]tapo.PowerSlot, error)
}

// history is what a plug has stored of one outlet.
type history struct {
	months, days, hours []tapo.EnergySlot
	powers              []tapo.PowerSlot
}

// directed returns the outlets that measure the direction of the power. Their history
// is not that of their live series: whether its energies contain what was fed back is not
// recorded anywhere, and in its powers -1 means no data.
func directed(r tapo.Reading) map[int]bool {
	outlets := map[int]bool{}
	for _, o := range r.Outlets {
		_, outlets[o.Number] = o.ReturnedMonth.Get()
	}
	return outlets
}

// fetch requests the slots that overlap a range, and those before it in its first
// month: the counter includes their energy.
func fetch(ctx context.Context, plug Plug, outlet int, directed bool, loc *time.Location, r Range) (h history, err error) {
	from, to, today := r.From.In(loc), r.To.In(loc), r.Now.In(loc)
	year, month, day := today.Date()
	if oldest := firstOf(year, month-monthlyRetention, loc); from.Before(oldest) {
		from = oldest
	}
	begins := firstOf(from.Year(), from.Month(), loc)
	daysFrom := latest(begins, firstOf(year, month-(month-1)%3-3, loc))
	hoursFrom := latest(tapo.StartOfDay(from.Year(), from.Month(), from.Day(), loc), tapo.StartOfDay(year, month, day-hourlyRetention, loc))
	powersFrom := latest(from, r.Now.Add(-powerRetention))

	energies := func(i tapo.Interval, from time.Time) ([]tapo.EnergySlot, error) {
		if r.Finest > i || !from.Before(to) {
			return nil, nil
		}
		slots, err := plug.EnergyHistory(ctx, outlet, i, from, r.Now)
		if errors.Is(err, tapo.ErrNoHistory) && i != tapo.Monthly {
			return nil, nil // the months show whether there is any
		}
		return slots, err
	}
	if h.hours, err = energies(tapo.Hourly, hoursFrom); err != nil {
		return h, err
	}
	if h.days, err = energies(tapo.Daily, daysFrom); err != nil {
		return h, err
	}
	// Months come last, so that the one in progress is not behind its days.
	h.months, err = energies(tapo.Monthly, begins)
	if errors.Is(err, tapo.ErrNoHistory) && len(h.days)+len(h.hours) > 0 {
		err = nil
	}
	if err != nil {
		return h, err
	}
	if r.Finest <= tapo.FiveMinutes && powersFrom.Before(to) && !directed {
		h.powers, err = plug.PowerHistory(ctx, outlet, tapo.FiveMinutes, powersFrom, to.Add(fiveMinutes)) // the last sample begins a slot
		if errors.Is(err, tapo.ErrNoHistory) {
			err = nil // firmware from before 2024 stores none
		}
	}
	return h, err
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
