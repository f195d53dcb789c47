// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

func TestReadClock(t *testing.T) {
	at := func(s string) time.Time {
		parsed, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	minutes := plug.Some[float64]
	var none plug.Optional[float64]
	for _, tc := range []struct {
		name      string
		localTime string
		region    string
		timeDiff  plug.Optional[float64]
		now       string
		offset    time.Duration
		known     bool
		wrong     bool
	}{
		{"right, winter", "2026-01-31 13:00:00", "Europe/Berlin", minutes(60), "2026-01-31T12:00:00Z", 0, true, false},
		{"right, summer", "2026-07-31 14:00:00", "Europe/Berlin", minutes(60), "2026-07-31T12:00:00Z", 0, true, false},
		{"Auckland in summer, as recorded", "2026-01-02 01:00:00", "Pacific/Auckland", minutes(720), "2026-01-01T12:00:00Z", 0, true, false},
		{"New York in summer, as recorded", "2026-07-01 08:00:00", "America/New_York", minutes(-300), "2026-07-01T12:00:00Z", 0, true, false},
		{"within our second", "2026-01-31 13:00:00", "CET", none, "2026-01-31T12:00:00.9Z", 0, true, false},
		{"slow", "2026-01-31 12:59:30", "CET", none, "2026-01-31T12:00:00Z", -30 * time.Second, true, false},
		{"fast", "2026-01-31 13:01:00", "CET", none, "2026-01-31T12:00:00Z", time.Minute, true, false},
		{"region unknown", "2026-01-31 13:00:00", "Mars/Olympus", minutes(60), "2026-01-31T12:00:00Z", 0, true, false},
		{"region is not this machine's", "2026-01-31 13:00:00", "Local", minutes(60), "2026-01-31T12:00:00Z", 0, true, false},
		{"a path as region", "2026-01-31 13:00:00", "../../etc/passwd", minutes(60), "2026-01-31T12:00:00Z", 0, true, false},
		{"no zone", "2026-01-31 13:00:00", "", none, "2026-01-31T12:00:00Z", 0, false, false},
		{"absurd time_diff", "2026-01-31 13:00:00", "", minutes(1e9), "2026-01-31T12:00:00Z", 0, false, false},
		{"no zone, year 2000", "2000-01-03 01:00:00", "", none, "2026-01-31T12:00:00Z", -228611 * time.Hour, true, true},
		{"year 2000", "2000-01-31 13:00:00", "Europe/Berlin", none, "2026-01-31T12:00:00Z", -9497 * 24 * time.Hour, true, true},
		{"25 hours off", "2026-02-01 14:00:00", "CET", none, "2026-01-31T12:00:00Z", 25 * time.Hour, true, false},
		{"27 hours off", "2026-01-30 10:00:00", "CET", none, "2026-01-31T12:00:00Z", -27 * time.Hour, true, true},
		{"02:30 comes twice, first", "2026-10-25 02:30:00", "Europe/Berlin", none, "2026-10-25T00:30:00Z", 0, true, false},
		{"02:30 comes twice, second", "2026-10-25 02:30:00", "Europe/Berlin", none, "2026-10-25T01:30:00Z", 0, true, false},
		{"02:59 is gone within a second", "2026-10-25 02:00:00", "Europe/Berlin", none, "2026-10-25T01:00:00Z", 0, true, false},
		{"hour that does not exist", "2026-03-29 03:00:01", "Europe/Berlin", none, "2026-03-29T01:00:01Z", 0, true, false},
		{"half an hour of daylight saving", "2026-04-05 01:45:00", "Australia/Lord_Howe", none, "2026-04-04T15:15:00Z", 0, true, false},
		{"empty", "", "Europe/Berlin", none, "2026-01-31T12:00:00Z", 0, false, false},
		{"garbage", "yesterday", "Europe/Berlin", none, "2026-01-31T12:00:00Z", 0, false, false},
		{"impossible date", "2026-02-30 12:00:00", "Europe/Berlin", none, "2026-01-31T12:00:00Z", 0, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := readClock(tc.localTime, newZone(tc.region, tc.timeDiff), at(tc.now))
			offset, known := got.offset.Get()
			if offset != tc.offset || known != tc.known || got.wrong != tc.wrong {
				t.Errorf("%v, %t, wrong %t; want %v, %t, wrong %t", offset, known, got.wrong, tc.offset, tc.known, tc.wrong)
			}
		})
	}
}
