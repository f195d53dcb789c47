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

// historyPause is the least time between two requests for a history, since there
// are many: a plug takes up to 35 ms for one, and has others to serve.
const historyPause = 250 * time.Millisecond

// historyExchanges is how many exchanges more than a read a request may take, if
// it is the first one to a plug, which has to be logged in to and to say what it
// is.
const historyExchanges = 4

// Describe asks the plug what it is, in one exchange, and one more for a strip
// with many children. Errors are as for [Dialect.Read].
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
	d.learnZone(&got.info)
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

// meters returns what may measure energy, by the number of the outlet.
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

// EnergySlots asks for the energies of one window of slots, which begins with the
// slot of a moment (get_energy_data), and returns those that begin before another
// moment, and where the next window begins. Beside the errors of [Dialect.Read]
// there is the [*HistoryError].
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

// PowerSlots is for average powers what [Dialect.EnergySlots] is for energies
// (get_power_data). There is no slot in progress.
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

// slot is one of a history, in the unit of the plug.
type slot struct {
	start, end time.Time
	full       time.Duration // its width when it is over
	value      float64
}

func (s slot) inProgress() bool { return s.end.Sub(s.start) < s.full }

// window asks for the slots of one window.
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

// file puts the values into their slots. Those that lie between two times are
// returned, unless they are in the future.
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

// meter returns the unit that has an outlet's meter, and the zone of its clock.
// The plug is asked what it is if it has not been.
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
	case zone.location == nil || zone.standard: // which may have daylight saving, nobody knows when
		return nil, nil, &HistoryError{plug.ErrNoZone, fmt.Sprintf("it says %q", zone.region), noZoneAdvice}
	}
	return u, d.profile.zone.location, nil
}

const (
	noClockAdvice = "The plug sets its clock over the internet (pool.ntp.org). Let it go online for a moment: check that the router does not block it. " +
		"Check this computer's clock as well."
	noZoneAdvice = "Set the plug's location in the Tapo app, in the plug's settings, so that it knows its time zone."
)

// HistoryError says why a plug has no history for us. It wraps Kind, which is one
// of the errors of package plug.
type HistoryError struct {
	Kind         error
	Text, Advice string
}

func (e *HistoryError) Error() string { return e.Kind.Error() + ": " + e.Text }

func (e *HistoryError) Unwrap() error { return e.Kind }
