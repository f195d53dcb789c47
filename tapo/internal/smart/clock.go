// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// zone is a plug's time zone. The zero value is that of a plug that reports none.
type zone struct {
	region   string                 // as reported
	timeDiff plug.Optional[float64] // minutes from UTC, without daylight saving
	location *time.Location         // nil if unknown
	standard bool                   // location is standard time, from timeDiff; the plug may have daylight saving
}

// newZone uses the region if it can, because timeDiff has no daylight saving.
func newZone(region string, timeDiff plug.Optional[float64]) zone {
	z := zone{region: region, timeDiff: timeDiff}
	if region != "" && !strings.EqualFold(region, "Local") { // "Local" is this machine's zone
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

// clock is the state of a plug's clock.
type clock struct {
	offset plug.Optional[time.Duration] // the plug's clock minus ours, if the zone is known or makes no difference
	wrong  bool                         // the offset is above plug.MaxClockOffset
}

// readClock compares local_time, which includes daylight saving, with now.
func readClock(localTime string, z zone, now time.Time) clock {
	wall, err := time.Parse(time.DateTime, localTime)
	if err != nil {
		return clock{}
	}
	if z.location == nil { // taken as UTC, a clock that was never set is still recognised
		offset := wall.Sub(now.Truncate(time.Second))
		if offset.Abs() <= plug.MaxClockOffset {
			return clock{}
		}
		return clock{offset: plug.Some(offset), wrong: true}
	}
	offset := nearestInstant(wall, z.location, now).Sub(now.Truncate(time.Second)) // local_time has whole seconds
	return clock{offset: plug.Some(offset), wrong: offset.Abs() > plug.MaxClockOffset}
}

// nearestInstant returns the instant at which clocks in loc show wall. In the hour that
// comes twice when daylight saving ends, it is the instant nearer to now.
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
