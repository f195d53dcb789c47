// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// maxClockOffset is how wrong a plug's clock may be for its day and month
// counters to be believed: a day, and what a wrong time zone may add.
const maxClockOffset = 26 * time.Hour

// zone is a plug's time zone. The zero value is that of a plug that gave none.
type zone struct {
	region   string                 // as the plug named it
	timeDiff plug.Optional[float64] // minutes from UTC, without daylight saving
	location *time.Location         // nil if unknown
	standard bool                   // location has standard time all year, whatever the plug has
}

// newZone prefers the region, which knows about daylight saving.
func newZone(region string, timeDiff plug.Optional[float64]) zone {
	z := zone{region: region, timeDiff: timeDiff}
	if region != "" && !strings.EqualFold(region, "Local") { // that would be this machine's zone
		if loc, err := time.LoadLocation(region); err == nil {
			z.location = loc
			return z
		}
	}
	if minutes, ok := timeDiff.Get(); ok && minutes >= -14*60 && minutes <= 14*60 {
		z.location, z.standard = time.FixedZone("", int(minutes)*60), true
	}
	return z
}

// clock is what a plug's wall clock says.
type clock struct {
	offset plug.Optional[time.Duration] // the plug's clock less ours, where the zone is known, or makes no difference
	wrong  bool                         // too far off for day and month counters to mean anything
}

// readClock compares a plug's wall clock, daylight saving included, with now.
func readClock(localTime string, z zone, now time.Time) clock {
	wall, err := time.Parse(time.DateTime, localTime)
	if err != nil {
		return clock{}
	}
	if z.location == nil { // as if it lived in UTC is good enough to see a clock that was never set
		offset := wall.Sub(now.Truncate(time.Second))
		if offset.Abs() <= maxClockOffset {
			return clock{}
		}
		return clock{offset: plug.Some(offset), wrong: true}
	}
	offset := nearestInstant(wall, z.location, now).Sub(now.Truncate(time.Second)) // plugs tell whole seconds
	return clock{offset: plug.Some(offset), wrong: offset.Abs() > maxClockOffset}
}

// nearestInstant returns the instant at which clocks in loc show wall. In the
// hour that comes twice when daylight saving ends, it is the one nearer to now.
func nearestInstant(wall time.Time, loc *time.Location, now time.Time) time.Time {
	y, m, d := wall.Date()
	best := time.Date(y, m, d, wall.Hour(), wall.Minute(), wall.Second(), 0, loc)
	for _, around := range []time.Duration{-3 * time.Hour, 3 * time.Hour} {
		_, seconds := best.Add(around).Zone()
		other := time.Unix(wall.Unix()-int64(seconds), 0).In(loc)
		_, shown := other.Zone()
		if shown == seconds && other.Sub(now).Abs() < best.Sub(now).Abs() {
			best = other
		}
	}
	return best
}
