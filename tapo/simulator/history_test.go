// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"testing"
	"time"
)

// TestEnergyData: the first slot begins where the plug's slots do, although the reply
// repeats the start of the request. Slots that are too old or in the future are 0.
func TestEnergyData(t *testing.T) {
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 10, 28, 11, 20, 0, 0, loc)
	p := start(t, &Plug{Region: "Europe/Berlin", Load: Constant(100.3), Now: func() time.Time { return now }, SetUp: time.Date(2026, 2, 10, 0, 0, 0, 0, loc)})
	at := func(month time.Month, day, hour int) time.Time {
		return time.Date(2026, month, day, hour, 0, 0, 0, loc)
	}
	const hour, day, month = 60, 1440, 43200
	for _, tc := range []struct {
		name     string
		from, to time.Time
		interval int
		length   int // 0 means refused
		zeros    int
		total    int // Wh
	}{
		{"today", at(10, 28, 0), at(10, 28, 23), hour, 24, 12, 1137},
		{"not from midnight", at(10, 28, 7), at(10, 28, 23), hour, 24, 12, 1137},
		{"eight days, of which one has 25 hours", at(10, 21, 0), at(10, 28, 23), hour, 193, 12, 18087},
		{"nine days", at(10, 20, 0), at(10, 28, 23), hour, 0, 0, 0},
		{"hours that are forgotten", at(10, 18, 0), at(10, 25, 23), hour, 193, 3 * 24, 12136},
		{"summer begins", at(3, 29, 0), at(3, 29, 1), hour, 23, 23, 0},
		{"a quarter", at(10, 1, 0), at(10, 1, 0), day, 92, 64, 66231},
		{"from within one", at(8, 17, 3), at(8, 17, 3), day, 92, 0, 221462},
		{"days that are forgotten", at(6, 1, 0), at(6, 1, 0), day, 91, 91, 0},
		{"a year", at(1, 1, 0), at(1, 1, 0), month, 12, 3, 627009},
		{"from within one", at(7, 5, 1), at(12, 1, 0), month, 12, 3, 627009},
		{"five minutes", at(10, 28, 0), at(10, 28, 1), 5, 0, 0, 0},
		{"backwards", at(10, 28, 0), at(10, 27, 1), hour, 0, 0, 0},
	} {
		got := p.askHistory(t, "get_energy_data", tc.from, tc.to, tc.interval)
		if tc.length == 0 {
			if got.ErrorCode != -1008 || got.Result.Data != nil {
				t.Errorf("%s: %+v", tc.name, got)
			}
			continue
		}
		zeros := 0
		for _, v := range got.Result.Data {
			if v == 0 {
				zeros++
			}
		}
		if len(got.Result.Data) != tc.length || zeros != tc.zeros || got.Result.From != tc.from.Unix() || got.Result.To != tc.to.Unix() || got.Result.LocalTime != "2026-10-28 11:20:00" {
			t.Errorf("%s: %d values, %d of them zero: %+v", tc.name, len(got.Result.Data), zeros, got)
		}
		slack := 1
		if tc.interval == month {
			slack = 9 // the part of a watt-hour at the end of each month is lost
		}
		if total := sum(got.Result.Data); total < tc.total-slack || total > tc.total+1 {
			t.Errorf("%s: %d Wh, want %d", tc.name, total, tc.total)
		}
	}
	days := p.askHistory(t, "get_energy_data", at(10, 1, 0), at(10, 1, 0), day).Result.Data
	usage, ok := p.plugUnit().energyUsage().(*energyUsage)
	if !ok || sum(days) != usage.MonthEnergy || days[27] != usage.TodayEnergy {
		t.Errorf("%d Wh in %v, the counter of the month says %d, that of today %d", sum(days), days, usage.MonthEnergy, usage.TodayEnergy)
	}
}

// TestPowerData: a reply has at most 144 slots, and -1 for a slot without data.
func TestPowerData(t *testing.T) {
	now := time.Date(2026, 10, 28, 11, 22, 0, 0, time.UTC)
	p := start(t, &Plug{Load: Constant(100.3), Now: func() time.Time { return now }, SetUp: now.Add(-5 * 24 * time.Hour)})
	for _, tc := range []struct {
		name     string
		from, to time.Duration // before now
		interval int
		length   int
		missing  int
		ends     int64 // after the start
	}{
		{"five minutes", 2 * time.Hour, 0, 5, 25, 1, 2 * 3600},
		{"half a day", 12 * time.Hour, 0, 5, 144, 0, 144 * 300},
		{"more", 20 * time.Hour, 0, 5, 144, 96, 144 * 300},
		{"hours", 10 * time.Hour, 0, 60, 11, 1, 10 * 3600},
		{"more hours", 8 * 24 * time.Hour, 0, 60, 144, 73, 144 * 3600},
		{"days", 8 * 24 * time.Hour, 0, 1440, 0, 0, 0},
	} {
		got := p.askHistory(t, "get_power_data", now.Add(-tc.from), now.Add(-tc.to), tc.interval)
		if tc.length == 0 {
			if got.ErrorCode != -1008 {
				t.Errorf("%s: %+v", tc.name, got)
			}
			continue
		}
		missing := 0
		for _, v := range got.Result.Data {
			if v == -1 {
				missing++
			} else if v != 100 {
				t.Errorf("%s: %d W", tc.name, v)
			}
		}
		if len(got.Result.Data) != tc.length || missing != tc.missing || got.Result.To-got.Result.From != tc.ends || got.Result.From != now.Add(-tc.from).Unix() {
			t.Errorf("%s: %d values, %d missing, %d seconds", tc.name, len(got.Result.Data), missing, got.Result.To-got.Result.From)
		}
	}
}
