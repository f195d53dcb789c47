// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// rounding is how a plug makes whole watt-hours of what it has measured.
type rounding int

const (
	together rounding = iota // it counts whole ones, so that they add up
	truncated
	nearest
)

// fakePlug is a plug that has stored what a load has drawn since a time.
type fakePlug struct {
	watts    func(time.Time) float64
	since    time.Time
	now      time.Time
	location *time.Location
	rounding rounding
	noPower  bool
	drops    func(i tapo.Interval, start time.Time) bool // slots that it reports as zero
	lost     func(i tapo.Interval, start time.Time) bool // slots that it does not report
	refuses  tapo.Interval
	requests int
	directed bool // it measures the direction
}

func (m *fakePlug) Describe(context.Context) (tapo.Description, error) {
	return tapo.Description{Location: m.location, Outlets: []int{1}}, nil
}

func (m *fakePlug) Read(context.Context) (tapo.Reading, error) {
	o := tapo.Outlet{Number: 1}
	if m.directed {
		o.ReturnedMonth = tapo.Some(0.0)
	}
	return tapo.Reading{Outlets: []tapo.Outlet{o}}, nil
}

// wattHours integrates in steps of five minutes.
func (m *fakePlug) wattHours(from, to time.Time) (sum float64) {
	for t := from; t.Before(to) && t.Before(m.now); t = t.Add(fiveMinutes) {
		if !t.Before(m.since) {
			sum += m.watts(t) / 12
		}
	}
	return sum
}

func (m *fakePlug) count(from, to time.Time) float64 {
	switch wh := m.wattHours(from, to); m.rounding {
	case truncated:
		return math.Floor(wh + 1e-6)
	case nearest:
		return math.Round(wh)
	}
	local := from.In(m.location)
	month := firstOf(local.Year(), local.Month(), m.location)
	return math.Floor(m.wattHours(month, to)+1e-6) - math.Floor(m.wattHours(month, from)+1e-6)
}

func (m *fakePlug) EnergyHistory(_ context.Context, _ int, i tapo.Interval, from, to time.Time) ([]tapo.EnergySlot, error) {
	if m.requests++; i == m.refuses {
		return nil, fmt.Errorf("no: %w", tapo.ErrNoHistory)
	}
	var slots []tapo.EnergySlot
	at := from.In(m.location)
	switch i {
	case tapo.Monthly:
		at = firstOf(at.Year(), at.Month(), m.location)
	case tapo.Daily:
		at = time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, m.location)
	}
	for at.Before(to) && at.Before(m.now) {
		next := at.Add(time.Hour)
		switch i {
		case tapo.Monthly:
			next = at.AddDate(0, 1, 0)
		case tapo.Daily:
			next = at.AddDate(0, 0, 1)
		}
		s := tapo.EnergySlot{Start: at.UTC(), End: next.UTC(), Joules: m.count(at, next) * 3600}
		if m.drops != nil && m.drops(i, at) {
			s.Joules = 0
		}
		if next.After(m.now) {
			s.End, s.InProgress = m.now.UTC(), true
		}
		if m.lost == nil || !m.lost(i, at) {
			slots = append(slots, s)
		}
		at = next
	}
	return slots, nil
}

func (m *fakePlug) PowerHistory(_ context.Context, _ int, _ tapo.Interval, from, to time.Time) ([]tapo.PowerSlot, error) {
	m.requests++
	if m.noPower {
		return nil, fmt.Errorf("no: %w", tapo.ErrNoHistory)
	}
	var slots []tapo.PowerSlot
	for at := from.Truncate(fiveMinutes); at.Before(to) && !at.Add(fiveMinutes).After(m.now); at = at.Add(fiveMinutes) {
		slots = append(slots, tapo.PowerSlot{Start: at.UTC(), End: at.Add(fiveMinutes).UTC(), Watts: math.Round(m.watts(at))})
	}
	return slots, nil
}

// dailyLoad is a load that draws nothing at night, little in the morning, and much at times.
func dailyLoad(at time.Time) float64 {
	switch hour := at.Unix() / 3600 % 24; {
	case hour < 5:
		return 0
	case hour < 9:
		return 0.7
	case at.Unix()/300%7 == 0:
		return 1913.3
	}
	return 61.7
}
