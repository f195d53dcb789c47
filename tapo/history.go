// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// historyPause is the least time between two requests for a history, since there
// are many: a plug takes up to 35 ms for one, and has others to serve. historyTime
// is the longest that one may take.
const (
	historyPause = 250 * time.Millisecond
	historyTime  = 10 * time.Second
)

// historyExchanges is how many exchanges more than a read a request may take, if
// it is the first one to a plug, which has to log us in and say what it is.
const historyExchanges = 4

// Describe asks the plug what it is, in one exchange over a standing session,
// and one more for a strip with many sockets; like each request for a history, for
// no longer than ten seconds. The error is an [*Error].
func (d *Device) Describe(ctx context.Context) (Description, error) {
	var desc Description
	err := d.converseBriefly(ctx, func(ctx context.Context) (err error) {
		desc, err = d.describe(ctx)
		return err
	})
	return desc, err
}

func (d *Device) describe(ctx context.Context) (Description, error) {
	got := replies{describing: true}
	if err := d.askPlug(ctx, &got); err != nil {
		return Description{}, err
	}
	d.learnZone(&got.info)
	if _, err := d.listSockets(ctx, &got); err != nil {
		return Description{}, err
	}
	desc := Description{Info: got.info.info()}
	if z := d.learnt.zone; !z.standard {
		desc.Location = z.location
	}
	for number, p := range d.meters() {
		if p.has("energy_monitoring", 1) {
			desc.Outlets = append(desc.Outlets, number)
		}
	}
	slices.Sort(desc.Outlets)
	return desc, nil
}

// meters returns what may measure energy, by the number of the socket.
func (d *Device) meters() map[int]*part {
	if !d.learnt.isStrip() {
		return map[int]*part{1: &d.learnt.plug}
	}
	meters := map[int]*part{}
	for _, p := range d.learnt.sockets {
		meters[p.number] = p
	}
	return meters
}

// EnergyHistory returns what a socket drew between two times by the hour, day or
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
	slots, err := d.history(ctx, getEnergyData, outlet, i, from, to, energyWindow)
	energies := make([]EnergySlot, 0, len(slots))
	for _, s := range slots {
		if joules := s.value * joulesPerWh; joules <= maxWatts*s.full.Seconds() {
			energies = append(energies, EnergySlot{Start: s.start, End: s.end, Joules: joules, InProgress: s.inProgress()})
		}
	}
	return energies, err
}

// PowerHistory returns the average power of a socket between two times by five
// minutes, or by the hour, as far as the plug remembers (get_power_data): said to
// be half a day, and six days. What holds of slots, costs and errors is as for
// [Device.EnergyHistory], but that there is no slot in progress, and an exchange
// is for 144 slots. Only newer firmware has it.
func (d *Device) PowerHistory(ctx context.Context, outlet int, i Interval, from, to time.Time) ([]PowerSlot, error) {
	slots, err := d.history(ctx, getPowerData, outlet, i, from, to, powerWindow)
	powers := make([]PowerSlot, 0, len(slots))
	for _, s := range slots {
		if s.value <= maxWatts && !s.inProgress() {
			powers = append(powers, PowerSlot{Start: s.start, End: s.end, Watts: s.value})
		}
	}
	return powers, err
}

// slot is one of a history, in the unit of the plug.
type slot struct {
	start, end time.Time
	full       time.Duration // its width when it is over
	value      float64
}

func (s slot) inProgress() bool { return s.end.Sub(s.start) < s.full }

// history asks for all windows that have slots between two times.
func (d *Device) history(ctx context.Context, m string, outlet int, i Interval, from, to time.Time,
	windowOf func(Interval, time.Time, *time.Location) window,
) ([]slot, error) {
	var all []slot
	now := d.cfg.Now()
	from, to = later(from, now.AddDate(-2, 0, 0)), earlier(to, now) // beyond which no plug remembers anything
	for at := from; at.Before(to); {
		var w window
		err := d.converseBriefly(ctx, func(ctx context.Context) error {
			d.grant(historyExchanges)
			part, loc, err := d.meter(ctx, outlet)
			if err != nil {
				return err
			}
			w = windowOf(i, at, loc)
			if m == getPowerData && w.slots[1].After(to) {
				return nil // which is in progress
			}
			values, now, err := d.askHistory(ctx, part, m, i, w)
			if err != nil {
				return err
			}
			if len(values) != len(w.slots)-1 && i == Hourly && m == getEnergyData {
				if byClock := w.wallClock(loc); len(values) == len(byClock)-1 {
					w.slots = byClock
				}
			}
			all = append(all, w.file(values, from, to, now)...)
			return nil
		})
		if err != nil {
			return nil, err
		}
		at = w.slots[len(w.slots)-1]
	}
	return all, nil
}

// converseBriefly is for one request, and perhaps a login.
func (d *Device) converseBriefly(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, historyTime)
	defer cancel()
	return d.converse(ctx, ask)
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

func later(a, b time.Time) time.Time {
	return slices.MaxFunc([]time.Time{a, b}, time.Time.Compare)
}

// meter returns the part that has an outlet's meter, and the zone of its clock.
// The plug is asked what it is if it has not been.
func (d *Device) meter(ctx context.Context, outlet int) (*part, *time.Location, error) {
	if d.learnt.deviceID == "" || d.learnt.isStrip() && d.learnt.sockets == nil {
		if _, err := d.describe(ctx); err != nil {
			return nil, nil, err
		}
	}
	p := d.meters()[outlet]
	switch {
	case p == nil:
		return nil, nil, d.unable(ErrNoHistory, "there is no such socket", "Give the number of a socket that the plug has.")
	case !p.has("energy_monitoring", 1):
		return nil, nil, d.unable(ErrNoHistory, "this model does not measure energy", "Only models that measure energy remember it, such as P110 and P115.")
	case d.learnt.zone.location == nil || d.learnt.zone.standard: // which may have daylight saving, nobody knows when
		return nil, nil, d.unable(ErrNoZone, fmt.Sprintf("it says %q", d.learnt.zone.region), noZoneAdvice)
	}
	return p, d.learnt.zone.location, nil
}

const (
	noClockAdvice = "The plug sets its clock over the internet (pool.ntp.org). Let it go online for a moment: check that the router does not block it. " +
		"Check this computer's clock as well."
	noZoneAdvice = "Set the plug's location in the Tapo app, in the plug's settings, so that it knows its time zone."
)

// unable makes the error of a plug that has no history for us.
func (d *Device) unable(kind error, text, advice string) error {
	reason := Unsupported
	if !errors.Is(kind, ErrNoHistory) {
		reason = PlugError
	}
	return &historyError{kind, &failure{reason: reason, protocol: d.session.protocol, advice: advice, text: text}}
}

// historyError is a failure of one of the kinds that are exported.
type historyError struct {
	kind error
	*failure
}

func (e *historyError) Error() string { return e.kind.Error() + ": " + e.text }

func (e *historyError) Unwrap() []error { return []error{e.kind, e.failure} }
