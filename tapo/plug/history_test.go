// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package plug

import (
	"testing"
	"time"
)

// TestStartOfDay: days begin at the first of two midnights, or at one o'clock
// where there is none, on both sides of Greenwich.
func TestStartOfDay(t *testing.T) {
	for _, tc := range []struct{ region, day, want string }{
		{"Europe/Berlin", "2026-10-25", "2026-10-25T00:00:00+02:00"},
		{"Asia/Amman", "2021-10-29", "2021-10-29T00:00:00+03:00"}, // and again at +02:00
		{"America/Havana", "2026-11-01", "2026-11-01T00:00:00-04:00"},
		{"America/Havana", "2026-03-08", "2026-03-08T01:00:00-04:00"},
		{"Asia/Beirut", "2026-03-29", "2026-03-29T01:00:00+03:00"},
	} {
		loc, err := time.LoadLocation(tc.region)
		if err != nil {
			t.Fatal(err)
		}
		day, err := time.Parse(time.DateOnly, tc.day)
		if err != nil {
			t.Fatal(err)
		}
		if got := StartOfDay(day.Year(), day.Month(), day.Day(), loc); got.In(loc).Format(time.RFC3339) != tc.want || got.Location() != time.UTC {
			t.Errorf("%s: %v, want %s", tc.region, got.In(loc), tc.want)
		}
	}
}
