// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

func TestHealthInWords(t *testing.T) {
	yes, no := tapo.Some(true), tapo.Some(false)
	for name, c := range map[string]struct {
		reading tapo.Reading
		outlet  tapo.Outlet
		want    []finding
	}{
		"nothing known": {want: []finding{{"good", "good"}}},
		"all is well": {
			tapo.Reading{RSSI: tapo.Some(-79.0), ClockOffset: tapo.Some(-9 * time.Minute)},
			tapo.Outlet{Overheated: no, Overloaded: no, Overcurrent: no, ChargingFinished: no, Power: tapo.Some(2600.0), PowerLimit: tapo.Some(2960.0)},
			[]finding{{"good", "good"}},
		},
		"everything at once": {
			tapo.Reading{RSSI: tapo.Some(-80.0), ClockOffset: tapo.Some(-2 * time.Hour)},
			tapo.Outlet{Overheated: yes, Overloaded: yes, Overcurrent: yes, ChargingFinished: yes, Power: tapo.Some(2664.0), PowerLimit: tapo.Some(2960.0)},
			[]finding{
				{"bad", "overheated: switch off and unplug what it feeds"},
				{"bad", "power protection has tripped: reduce the load"},
				{"bad", "current protection has tripped: unplug what it feeds, and have it checked"},
				{"warn", "2664 W of the 2960 at which it switches itself off: reduce the load"},
				{"good", "charging has finished"},
				{"warn", "weak Wi-Fi, -80 dBm: move the plug or the access point"},
				{"warn", "clock 2 hours off: give the plug internet access, and check its time zone"},
			},
		},
		"tripped, and on": {
			outlet: tapo.Outlet{On: yes, Overloaded: yes, Overcurrent: yes, Power: tapo.Some(141.9)},
			want: []finding{
				{"bad", "power protection has tripped: reduce the load"},
				{"bad", "current protection has tripped: unplug what it feeds, and have it checked"},
			},
		},
		"tripped, and off": {
			outlet: tapo.Outlet{On: no, Overloaded: yes, Overcurrent: yes},
			want: []finding{
				{"bad", "power protection has tripped, the outlet is off: reduce the load"},
				{"bad", "current protection has tripped, the outlet is off: unplug what it feeds, and have it checked"},
			},
		},
	} {
		if diff := cmp.Diff(c.want, health(c.reading, c.outlet)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}
