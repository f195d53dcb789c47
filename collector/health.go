// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// finding is what the page says about the health of an outlet or its plug.
type finding struct {
	Level string // good, warn or bad
	Text  string
}

// Thresholds of the status page.
const (
	weakSignal = -80 // dBm
	wrongClock = 10 * time.Minute
	nearLimit  = 0.9 // of the power at which the plug switches itself off
)

// health says what is wrong with an outlet that was read, and what to do.
func health(r tapo.Reading, o tapo.Outlet) []finding {
	var findings []finding
	add := func(applies bool, level, format string, args ...any) {
		if applies {
			findings = append(findings, finding{level, fmt.Sprintf(format, args...)})
		}
	}
	is := func(flag tapo.Optional[bool]) bool {
		set, known := flag.Get()
		return known && set
	}
	add(is(o.Overheated), "bad", "overheated: switch off and unplug what it feeds")
	on, known := o.On.Get()
	isOff := ""
	if power, _ := o.Power.Get(); known && !on && power == 0 { // a plug may report that a protection has tripped and feed the load all the same
		isOff = ", the outlet is off"
	}
	add(is(o.Overloaded), "bad", "power protection has tripped%s: reduce the load", isOff)
	add(is(o.Overcurrent), "bad", "current protection has tripped%s: unplug what it feeds, and have it checked", isOff)
	watts, drawn := o.Power.Get()
	limit, limited := o.PowerLimit.Get()
	add(drawn && limited && watts >= nearLimit*limit, "warn", "%.0f W of the %.0f at which it switches itself off: reduce the load", watts, limit)
	add(is(o.ChargingFinished), "good", "charging has finished")
	dbm, known := r.RSSI.Get()
	add(known && dbm <= weakSignal, "warn", "weak Wi-Fi, %.0f dBm: move the plug or the access point", dbm)
	offset, known := r.ClockOffset.Get()
	add(known && offset.Abs() >= wrongClock, "warn", "clock %s off: give the plug internet access, and check its time zone", span(offset.Abs()))
	if len(findings) == 0 {
		return []finding{{"good", "good"}}
	}
	return findings
}

// span says how long something is, in two words.
func span(d time.Duration) string {
	switch {
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
