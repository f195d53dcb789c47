// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"slices"
	"testing"
	"time"
)

// TestEnergyLog: the log follows the relay, and begins anew with the clock.
func TestEnergyLog(t *testing.T) {
	now := time.Date(2026, 10, 28, 11, 0, 0, 0, time.UTC)
	p := start(t, &Plug{Load: Constant(60), Now: func() time.Time { return now }})
	pass := func(d time.Duration) { now = now.Add(d) }
	pass(30 * time.Minute)
	p.SetRelay(false)
	pass(2 * time.Hour)
	p.SetRelay(true)
	pass(45 * time.Minute)
	today := p.askHistory(t, "get_energy_data", now, now, 60).Result.Data
	if want := []int{60, 30, 0, 30, 15}; !slices.Equal(today[10:15], want) {
		t.Errorf("%v, want %v", today[10:15], want)
	}
	p.SetClock(-26 * 365 * 24 * time.Hour)
	if got := p.askHistory(t, "get_energy_data", now, now, 60).Result; sum(got.Data) != 0 || got.LocalTime[:4] != "2000" {
		t.Errorf("%+v", got)
	}
}
