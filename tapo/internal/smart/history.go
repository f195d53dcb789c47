// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/budget"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// historyPause is the least time between two requests for a history. A history takes many
// requests, and the plug has other clients.
const historyPause = 250 * time.Millisecond

// historyExchanges is the number of exchanges beyond those of a read that a request may
// take. The first request to a plug needs a login and a description.
const historyExchanges = 4

// Describe reads what the plug is, in one exchange, and one more for each further page of
// children. Errors are as for [Dialect.Read].
func (d *Dialect) Describe(ctx context.Context, s transport.Session, b *budget.Budget) (plug.Description, error) {
	d.begin(s, b)
	return d.describe(ctx)
}

func (d *Dialect) describe(ctx context.Context) (plug.Description, error) {
	got := newReplies()
	got.describing = true
	if err := d.askPlug(ctx, got); err != nil {
		return plug.Description{}, err
	}
	d.learnZone(got)
	if _, err := d.listChildren(ctx, got); err != nil {
		return plug.Description{}, err
	}
	desc := plug.Description{Info: got.info.info()}
	if z := d.profile.zone; !z.standard {
		desc.Location = z.location
	}
	for number, u := range d.meters() {
		if u.has("energy_monitoring", 1) {
			desc.Outlets = append(desc.Outlets, number)
		}
	}
	slices.Sort(desc.Outlets)
	return desc, nil
}

// meters returns the units that may measure energy, by the number of the outlet.
func (d *Dialect) meters() map[int]*unit {
	if !d.profile.isStrip() {
		return map[int]*unit{1: &d.profile.plug}
	}
	meters := map[int]*unit{}
	for _, u := range d.profile.children {
		meters[u.number] = u
	}
	return meters
}

// EnergySlots reads one window of energies with get_energy_data. The window begins with
// the slot of from. EnergySlots returns the slots that begin before to, and the time at
// which the next window begins. Errors are those of [Dialect.Read], or a [*HistoryError].
func (d *Dialect) EnergySlots(ctx context.Context, s transport.Session, b *budget.Budget, outlet int, i plug.Interval, from, to time.Time) (
	[]plug.EnergySlot, time.Time, error,
) {
	d.begin(s, b)
	w, slots, err := d.window(ctx, getEnergyData, outlet, i, from, to, energyWindow)
	energies := make([]plug.EnergySlot, 0, len(slots))
	for _, s := range slots {
		if joules := s.value * joulesPerWh; joules <= maxWatts*s.full.Seconds() {
			energies = append(energies, plug.EnergySlot{Start: s.start, End: s.end, Joules: joules, InProgress: s.inProgress()})
		}
	}
	return energies, w.end(), err
}

// PowerSlots reads one window of average powers with get_power_data, like
// [Dialect.EnergySlots]. It returns no slot that is in progress.
func (d *Dialect) PowerSlots(ctx context.Context, s transport.Session, b *budget.Budget, outlet int, i plug.Interval, from, to time.Time) (
	[]plug.PowerSlot, time.Time, error,
) {
	d.begin(s, b)
	w, slots, err := d.window(ctx, getPowerData, outlet, i, from, to, powerWindow)
	powers := make([]plug.PowerSlot, 0, len(slots))
	for _, s := range slots {
		if s.value <= maxWatts && !s.inProgress() {
			powers = append(powers, plug.PowerSlot{Start: s.start, End: s.end, Watts: s.value})
		}
	}
	return powers, w.end(), err
}

// slot is a slot of a history, in the plug's unit.
type slot struct {
	start, end time.Time
	full       time.Duration // the width of the whole slot
	value      float64
}

func (s slot) inProgress() bool { return s.end.Sub(s.start) < s.full }

// window reads the slots of one window.
func (d *Dialect) window(ctx context.Context, m string, outlet int, i plug.Interval, from, to time.Time,
	windowOf func(plug.Interval, time.Time, *time.Location) window,
) (window, []slot, error) {
	d.budget.Grant(historyExchanges)
	u, loc, err := d.meter(ctx, outlet)
	if err != nil {
		return window{}, nil, err
	}
	w := windowOf(i, from, loc)
	if m == getPowerData && w.slots[1].After(to) {
		return w, nil, nil // its first slot is in progress
	}
	values, now, err := d.askHistory(ctx, u, m, i, w)
	if err != nil {
		return w, nil, err
	}
	if len(values) != len(w.slots)-1 && i == plug.Hourly && m == getEnergyData {
		if byClock := w.wallClock(loc); len(values) == len(byClock)-1 {
			w.slots = byClock
		}
	}
	return w, w.file(values, from, to, now), nil
}

// file puts the values into their slots. It returns the slots between from and to that are
// not in the future.
func (w window) file(values []float64, from, to, now time.Time) []slot {
	var filed []slot
	for n, v := range values[:min(len(values), len(w.slots)-1)] {
		start, end := w.slots[n], w.slots[n+1]
		if v < 0 || !start.Before(end) || !start.Before(to) || !end.After(from) || !start.Before(now) {
			continue
		}
		filed = append(filed, slot{start.UTC(), earlier(end, now).UTC(), end.Sub(start), v})
	}
	return filed
}

func earlier(a, b time.Time) time.Time {
	return slices.MinFunc([]time.Time{a, b}, time.Time.Compare)
}

// meter returns the unit with an outlet's meter, and the zone of its clock. It reads the
// plug's description if there is none yet.
func (d *Dialect) meter(ctx context.Context, outlet int) (*unit, *time.Location, error) {
	if d.profile.deviceID == "" || d.profile.isStrip() && d.profile.children == nil {
		if _, err := d.describe(ctx); err != nil {
			return nil, nil, err
		}
	}
	u := d.meters()[outlet]
	switch zone := d.profile.zone; {
	case u == nil:
		return nil, nil, &HistoryError{plug.ErrNoHistory, "there is no such socket", "Give the number of a socket that the plug has."}
	case !u.has("energy_monitoring", 1):
		return nil, nil, &HistoryError{plug.ErrNoHistory, "this model does not measure energy", "Only models that measure energy remember it, such as P110 and P115."}
	case zone.location == nil || zone.standard: // when the plug has daylight saving is not known
		return nil, nil, &HistoryError{plug.ErrNoZone, fmt.Sprintf("it says %.64q", zone.region), noZoneAdvice}
	}
	return u, d.profile.zone.location, nil
}

const (
	noClockAdvice = "The plug sets its clock over the internet (pool.ntp.org). Let it go online for a moment: check that the router does not block it. " +
		"Check this computer's clock as well."
	noZoneAdvice = "Set the plug's location in the Tapo app, in the plug's settings, so that it knows its time zone."
)

// HistoryError is the reason why a plug's history cannot be read. It wraps Kind, which is
// one of the errors of package plug.
type HistoryError struct {
	Kind         error
	Text, Advice string
}

func (e *HistoryError) Error() string { return e.Kind.Error() + ": " + e.Text }

func (e *HistoryError) Unwrap() error { return e.Kind }
