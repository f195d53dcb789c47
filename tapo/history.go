// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/smart"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
)

// historyTime is the longest that a request for a history may take.
const historyTime = 10 * time.Second

// Describe asks the plug what it is, in one exchange over a standing session,
// and one more for a strip with many outlets; like each request for a history, for
// no longer than ten seconds. The error is an [*Error].
func (d *Device) Describe(ctx context.Context) (Description, error) {
	var desc Description
	err := d.recall(ctx, func(ctx context.Context, s transport.Session, h historian) (err error) {
		desc, err = h.Describe(ctx, s, d.budget)
		return err
	})
	return desc, err
}

// EnergyHistory returns what an outlet drew between two times by the hour, day or
// month, as far as the plug remembers (get_energy_data). Hours are said to be
// kept for about a week, days for three months, months for a year. Slots that
// have not begun, and those without a value, are left out; the first and the last
// reach beyond the times unless these are where slots begin. A plug does not tell
// what it has forgotten, or has never known, from what was zero.
//
// It takes one exchange for every eight days of hours, for every quarter of days
// and for every year of months, with 250 ms between them. The error is an
// [*Error], which may wrap [ErrNoHistory], [ErrNoClock] or [ErrNoZone].
func (d *Device) EnergyHistory(ctx context.Context, outlet int, i Interval, from, to time.Time) ([]EnergySlot, error) {
	return history(ctx, d, from, to, func(ctx context.Context, s transport.Session, h historian, from, to time.Time) ([]EnergySlot, time.Time, error) {
		return h.EnergySlots(ctx, s, d.budget, outlet, i, from, to)
	})
}

// PowerHistory returns the average power of an outlet between two times by five
// minutes, or by the hour, as far as the plug remembers (get_power_data): said to
// be half a day, and six days. What holds of slots, costs and errors is as for
// [Device.EnergyHistory], but that there is no slot in progress, and an exchange
// is for 144 slots. Only newer firmware has it.
func (d *Device) PowerHistory(ctx context.Context, outlet int, i Interval, from, to time.Time) ([]PowerSlot, error) {
	return history(ctx, d, from, to, func(ctx context.Context, s transport.Session, h historian, from, to time.Time) ([]PowerSlot, time.Time, error) {
		return h.PowerSlots(ctx, s, d.budget, outlet, i, from, to)
	})
}

// history asks for all windows that have slots between two times, each in a
// conversation of its own.
func history[Slot any](ctx context.Context, d *Device, from, to time.Time,
	ask func(ctx context.Context, s transport.Session, h historian, from, to time.Time) ([]Slot, time.Time, error),
) ([]Slot, error) {
	now := d.cfg.Now()
	if oldest := now.AddDate(-2, 0, 0); from.Before(oldest) { // beyond which no plug remembers anything
		from = oldest
	}
	if to.After(now) {
		to = now
	}
	all := []Slot{}
	for from.Before(to) {
		var slots []Slot
		var next time.Time
		err := d.recall(ctx, func(ctx context.Context, s transport.Session, h historian) (err error) {
			slots, next, err = ask(ctx, s, h, from, to)
			return err
		})
		if err != nil {
			return nil, err
		}
		all, from = append(all, slots...), next
	}
	return all, nil
}

// recall has a short conversation about what the plug remembers.
func (d *Device) recall(ctx context.Context, ask func(context.Context, transport.Session, historian) error) error {
	ctx, cancel := context.WithTimeout(ctx, historyTime)
	defer cancel()
	return d.converse(ctx, func(ctx context.Context, s *session) error {
		spoken, err := d.dialectFor(s)
		if err != nil {
			return err
		}
		h, ok := spoken.(historian)
		if !ok {
			return &smart.HistoryError{Kind: ErrNoHistory, Text: "this kind of plug is not asked for it", Advice: "Only Tapo's plugs are."}
		}
		return ask(ctx, s, h)
	})
}
