// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestDirection: a P410M counts what is fed back apart from what is drawn, both in Wh and
// in mWh, from its own midnight and first of the month.
func TestDirection(t *testing.T) {
	now := time.Date(2026, 6, 10, 20, 0, 0, 0, time.UTC)
	// From 8 to 16 o'clock UTC it feeds in. A day in Berlin begins at 22 o'clock UTC.
	load := LoadFunc(func(at time.Time) float64 {
		if hour := at.UTC().Hour(); hour >= 8 && hour < 16 {
			return -300.0015
		}
		return 100.0015
	})
	p := start(t, &Plug{Model: P410M, Region: "Europe/Berlin", Load: load, Now: func() time.Time { return now }})
	c := login(t, p)
	asked := int32(0)
	ask := func(method string) string {
		asked++
		return c.ask(t, p, asked, `{"method":"`+method+`"}`)
	}
	for _, tc := range []struct {
		name  string
		at    time.Time
		usage map[string]int
	}{
		{"drawing in the evening", now, map[string]int{
			"current_power": 100001, "today_energy": 1400, "today_energy_mwh": 1400021, "month_energy": 15800, "month_energy_mwh": 15800237,
			"today_charge_energy": 2400, "today_charge_energy_mwh": 2400012, "month_charge_energy": 24000, "month_charge_energy_mwh": 24000120,
		}},
		{"after midnight", now.Add(3 * time.Hour), map[string]int{
			"current_power": 100001, "today_energy": 100, "today_energy_mwh": 100001, "month_energy": 16100, "month_energy_mwh": 16100241,
			"today_charge_energy": 0, "today_charge_energy_mwh": 0, "month_charge_energy": 24000, "month_charge_energy_mwh": 24000120,
		}},
		{"feeding in at noon", now.Add(16 * time.Hour), map[string]int{
			"current_power": -300001, "today_energy": 1000, "today_energy_mwh": 1000015, "month_energy": 17000, "month_energy_mwh": 17000255,
			"today_charge_energy": 1200, "today_charge_energy_mwh": 1200006, "month_charge_energy": 25200, "month_charge_energy_mwh": 25200126,
		}},
		{"in the next month", time.Date(2026, 6, 30, 23, 0, 0, 0, time.UTC), map[string]int{
			"current_power": 100001, "today_energy": 100, "today_energy_mwh": 100001, "month_energy": 100, "month_energy_mwh": 100001,
			"today_charge_energy": 0, "today_charge_energy_mwh": 0, "month_charge_energy": 0, "month_charge_energy_mwh": 0,
		}},
	} {
		now = tc.at
		if asked > 0 { // the session lasts a day
			p.LoseSession()
			c, asked = login(t, p), 0
		}
		var usage struct{ Result map[string]any }
		if err := json.Unmarshal([]byte(ask("get_energy_usage")), &usage); err != nil {
			t.Fatal(err)
		}
		for name, want := range tc.usage {
			if got, has := usage.Result[name].(float64); !has || int(got) != want {
				t.Errorf("%s: %s is %v, want %d", tc.name, name, usage.Result[name], want)
			}
		}
	}
}

// TestEmeterWhileFeedingIn: get_emeter_data is not JSON then, and neither is a batch that
// has it (python-kasa/python-kasa#1758).
func TestEmeterWhileFeedingIn(t *testing.T) {
	watts := Constant(-19.231)
	p := start(t, &Plug{Model: P410M, Load: LoadFunc(func(at time.Time) float64 { return watts.Watts(at) })})
	c := login(t, p)
	for i, tc := range []struct {
		watts         Constant
		request, want string
		valid         bool
	}{
		{-19.231, `{"method":"get_emeter_data"}`, `"power_mw":--19231,`, false},
		{-19.231, `{"method":"multipleRequest","params":{"requests":[{"method":"get_device_info"},{"method":"get_emeter_data"}]}}`, `"power_mw":--19231,`, false},
		{-19.231, `{"method":"get_energy_usage"}`, `"current_power":-19231`, true},
		{-19.999, `{"method":"get_current_power"}`, `"current_power":-19}`, true},
		{0, `{"method":"get_emeter_data"}`, `"power_mw":0,`, true},
		{1.902, `{"method":"get_emeter_data"}`, `"power_mw":1902,`, true},
		{1.902, `{"method":"get_current_power"}`, `"current_power":1}`, true},
	} {
		p.mu.Lock()
		watts = tc.watts
		p.mu.Unlock()
		got := c.ask(t, p, int32(i+1), tc.request)
		if !strings.Contains(got, tc.want) || json.Valid([]byte(got)) != tc.valid {
			t.Errorf("%v W: %s gives %s, want %s", tc.watts, tc.request, got, tc.want)
		}
		if strings.Contains(got, `_ma":-`) || strings.Contains(got, "charge_energy_mwh\":-") {
			t.Errorf("%v W: a negative value that is never one: %s", tc.watts, got)
		}
	}
	other := start(t, &Plug{Load: Constant(60)})
	if got := login(t, other).ask(t, other, 1, `{"method":"get_energy_usage"}`); strings.Contains(got, "mwh") || strings.Contains(got, "charge_energy") {
		t.Errorf("a P110 measures no direction: %s", got)
	}
}
