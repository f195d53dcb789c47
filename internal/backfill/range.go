// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// Range says which samples are wanted.
type Range struct {
	From, To Bound         // both included
	Finest   tapo.Interval // the finest history to use
	Now      time.Time
}

// Bound is an end of a range: a time, or a date. A date begins at a different
// time in each time zone, so it becomes a time once the plug's zone is known.
type Bound struct {
	instant time.Time
	date    time.Time // in UTC, if there is no instant
}

// At returns a bound that is the same time everywhere.
func At(t time.Time) Bound { return Bound{instant: t} }

// ParseBound parses a time as in RFC 3339, a date, or a duration before now as
// Prometheus writes durations.
func ParseBound(text string, now time.Time) (Bound, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return At(t), nil
	}
	if date, err := time.Parse(time.DateOnly, text); err == nil {
		return Bound{date: date}, nil
	}
	if ago, err := model.ParseDuration(text); err == nil {
		return At(now.Add(-time.Duration(ago))), nil
	}
	return Bound{}, fmt.Errorf("%q: want a time such as 2026-11-01T18:00:00Z, a date such as 2026-11-01, or how long ago, such as 30d", text)
}

// In returns the time; of a date, when it begins in a zone.
func (b Bound) In(loc *time.Location) time.Time {
	if !b.instant.IsZero() {
		return b.instant.In(loc)
	}
	year, month, day := b.date.Date()
	return tapo.StartOfDay(year, month, day, loc).In(loc)
}
