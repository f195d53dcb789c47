// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// Moment is a time, or a date, which is a time only where there is a time zone.
type Moment struct {
	instant time.Time
	date    time.Time // in UTC, if there is no instant
}

// At returns the moment of a time.
func At(t time.Time) Moment { return Moment{instant: t} }

// ParseMoment reads a time as in RFC 3339, a date, or, as Prometheus writes
// durations, how long before now.
func ParseMoment(text string, now time.Time) (Moment, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return At(t), nil
	}
	if date, err := time.Parse(time.DateOnly, text); err == nil {
		return Moment{date: date}, nil
	}
	if ago, err := model.ParseDuration(text); err == nil {
		return At(now.Add(-time.Duration(ago))), nil
	}
	return Moment{}, fmt.Errorf("%q: want a time such as 2026-11-01T18:00:00Z, a date such as 2026-11-01, or how long ago, such as 30d", text)
}

// In returns the instant; of a date, where it begins in a zone.
func (m Moment) In(loc *time.Location) time.Time {
	if !m.instant.IsZero() {
		return m.instant.In(loc)
	}
	year, month, day := m.date.Date()
	return tapo.StartOfDay(year, month, day, loc).In(loc)
}
