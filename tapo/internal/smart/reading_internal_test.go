// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"math"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// decodeOutlet decodes results of some methods.
func decodeOutlet(t *testing.T, results map[*method]string) (plug.Info, plug.Outlet) {
	t.Helper()
	r, u := newReplies(), &unit{}
	for m, text := range results {
		file(t, u, r, m, text)
	}
	return r.info.info(), r.outlet(u, 1, false)
}

// file files a method's result.
func file(t *testing.T, u *unit, r *replies, m *method, text string) {
	t.Helper()
	var res result
	if !lenient.Unmarshal([]byte(text), &res) {
		t.Fatalf("%s: no JSON", m.name)
	}
	m.file(u, r, &res)
}

func TestDecodeNothing(t *testing.T) {
	for _, text := range []string{`{}`, `null`, `[]`, `5`, `"x"`, `{"device_on":null,"on_time":null,"rssi":null,"nickname":null}`} {
		all := map[*method]string{}
		for _, m := range methods {
			all[m] = text
		}
		info, o := decodeOutlet(t, all)
		if info != (plug.Info{}) || o != (plug.Outlet{Number: 1}) {
			t.Errorf("%q became %+v, %+v", text, info, o)
		}
	}
}

func TestDecodeOddValues(t *testing.T) {
	type values map[*method]string
	power := func(o plug.Outlet) any { return o.Power }
	today := func(o plug.Outlet) any { return o.EnergyToday }
	var noNumber plug.Optional[float64]
	var noFlag plug.Optional[bool]
	var noTime plug.Optional[time.Duration]
	for _, tc := range []struct {
		name string
		in   values
		get  func(plug.Outlet) any
		want any
	}{
		{"power in mW", values{getEnergyUsage: `{"current_power":71502}`}, power, plug.Some(71.502)},
		{"power as a string", values{getEnergyUsage: `{"current_power":"71502"}`}, power, plug.Some(71.502)},
		{"power fed back", values{getEnergyUsage: `{"current_power":-19231}`, getCurrentPower: `{"current_power":-19}`}, power, plug.Some(-19.231)},
		{"power fed back, in whole watts", values{getCurrentPower: `{"current_power":-19}`}, power, plug.Some(-19.0)},
		{"power fed back, hugely", values{getEnergyUsage: `{"current_power":-2147483648}`}, power, noNumber},
		{"power true", values{getEnergyUsage: `{"current_power":true}`}, power, noNumber},
		{"power from the best source", values{getEnergyUsage: `{"current_power":2000}`, getEmeterData: `{"power_mw":1003}`, getCurrentPower: `{"current_power":3}`}, power, plug.Some(1.003)},
		{"power from the second", values{getEnergyUsage: `{"current_power":2000}`, getEmeterData: `{}`, getCurrentPower: `{"current_power":3}`}, power, plug.Some(2.0)},
		{"power in whole watts", values{getCurrentPower: `{"current_power":3}`}, power, plug.Some(3.0)},
		{"power zero is a value", values{getEmeterData: `{"power_mw":0}`, getCurrentPower: `{"current_power":3}`}, power, plug.Some(0.0)},
		{"energy", values{getEnergyUsage: `{"today_energy":73}`}, today, plug.Some(262800.0)},
		{"energy negative", values{getEnergyUsage: `{"today_energy":-1}`}, today, noNumber},
		{"energy in mWh", values{getEnergyUsage: `{"today_energy":6,"today_energy_mwh":6127}`}, today, plug.Some(22057.2)},
		{"energy in mWh, zero", values{getEnergyUsage: `{"today_energy":6,"today_energy_mwh":0}`}, today, plug.Some(0.0)},
		{"energy in mWh, damaged", values{getEnergyUsage: `{"today_energy":6,"today_energy_mwh":-1}`}, today, plug.Some(21600.0)},
		{"energy in mWh only", values{getEnergyUsage: `{"month_energy_mwh":"5189001"}`}, func(o plug.Outlet) any { return o.EnergyMonth }, plug.Some(18680403.6)},
		{"energy fed back today", values{getEnergyUsage: `{"today_charge_energy":53,"today_charge_energy_mwh":53491}`}, func(o plug.Outlet) any { return o.ReturnedToday }, plug.Some(192567.6)},
		{"energy fed back this month", values{getEnergyUsage: `{"month_charge_energy":53}`}, func(o plug.Outlet) any { return o.ReturnedMonth }, plug.Some(190800.0)},
		{"energy fed back, on most plugs", values{getEnergyUsage: `{"month_energy":53}`}, func(o plug.Outlet) any { return o.ReturnedMonth }, noNumber},
		{"energy as an array", values{getEnergyUsage: `{"today_energy":[1],"month_energy":1}`}, today, noNumber},
		{"one odd member spoils no other", values{getEnergyUsage: `{"today_energy":{"a":1},"month_energy":2,"past24h":"x"}`}, func(o plug.Outlet) any { return o.EnergyMonth }, plug.Some(7200.0)},
		{"runtime", values{getEnergyUsage: `{"today_runtime":61}`}, func(o plug.Outlet) any { return o.OnToday }, plug.Some(61 * time.Minute)},
		{"runtime huge", values{getEnergyUsage: `{"today_runtime":1e300}`}, func(o plug.Outlet) any { return o.OnToday }, noTime},
		{"runtime negative", values{getEnergyUsage: `{"month_runtime":-2}`}, func(o plug.Outlet) any { return o.OnMonth }, noTime},
		{"voltage", values{getEmeterData: `{"voltage_mv":234120}`}, func(o plug.Outlet) any { return o.Voltage }, plug.Some(234.12)},
		{"current", values{getEmeterData: `{"current_ma":744}`}, func(o plug.Outlet) any { return o.Current }, plug.Some(0.744)},
		{"on as a number", values{getDeviceInfo: `{"device_on":1}`}, func(o plug.Outlet) any { return o.On }, plug.Some(true)},
		{"on since, while on", values{getDeviceInfo: `{"device_on":true,"on_time":12}`}, func(o plug.Outlet) any { return o.OnFor }, plug.Some(12 * time.Second)},
		{"on since, while off", values{getDeviceInfo: `{"device_on":false,"on_time":12345}`}, func(o plug.Outlet) any { return o.OnFor }, plug.Some(time.Duration(0))},
		{"on since, not given", values{getDeviceInfo: `{"device_on":false}`}, func(o plug.Outlet) any { return o.OnFor }, noTime},
		{"on as nonsense", values{getDeviceInfo: `{"device_on":"sometimes"}`}, func(o plug.Outlet) any { return o.On }, noFlag},
		{"overheated, old", values{getDeviceInfo: `{"overheated":true}`}, func(o plug.Outlet) any { return o.Overheated }, plug.Some(true)},
		{"overheated, new", values{getDeviceInfo: `{"overheat_status":"overheated"}`}, func(o plug.Outlet) any { return o.Overheated }, plug.Some(true)},
		{"cooling down", values{getDeviceInfo: `{"overheat_status":"cool_down"}`}, func(o plug.Outlet) any { return o.Overheated }, plug.Some(false)},
		{"overheat status unknown", values{getDeviceInfo: `{"overheat_status":"melting"}`}, func(o plug.Outlet) any { return o.Overheated }, noFlag},
		{"overloaded", values{getDeviceInfo: `{"power_protection_status":"overloaded"}`}, func(o plug.Outlet) any { return o.Overloaded }, plug.Some(true)},
		{"overcurrent", values{getDeviceInfo: `{"overcurrent_status":"lifted"}`}, func(o plug.Outlet) any { return o.Overcurrent }, plug.Some(true)},
		{"charged", values{getDeviceInfo: `{"charging_status":"finished"}`}, func(o plug.Outlet) any { return o.ChargingFinished }, plug.Some(true)},
		{"limit", values{getProtectionPower: `{"enabled":true,"protection_power":2960}`}, func(o plug.Outlet) any { return o.PowerLimit }, plug.Some(2960.0)},
		{"limit, other key", values{getProtectionPower: `{"protection_enabled":true,"protection_power":1800}`}, func(o plug.Outlet) any { return o.PowerLimit }, plug.Some(1800.0)},
		{"power null", values{getEnergyUsage: `{"current_power":null}`, getCurrentPower: `{"current_power":3}`}, power, plug.Some(3.0)},
		{"power as words", values{getEnergyUsage: `{"current_power":"much"}`}, power, noNumber},
		{"power huge", values{getEnergyUsage: `{"current_power":2147483647}`}, power, noNumber},
		{"power infinite", values{getEmeterData: `{"power_mw":1e999}`, getCurrentPower: `{"current_power":3}`}, power, plug.Some(3.0)},
		{"voltage huge", values{getEmeterData: `{"voltage_mv":99999999999999999999}`}, func(o plug.Outlet) any { return o.Voltage }, noNumber},
		{"voltage negative", values{getEmeterData: `{"voltage_mv":-230000}`}, func(o plug.Outlet) any { return o.Voltage }, noNumber},
		{"current huge", values{getEmeterData: `{"current_ma":4294967295}`}, func(o plug.Outlet) any { return o.Current }, noNumber},
		{"current null", values{getEmeterData: `{"current_ma":null}`}, func(o plug.Outlet) any { return o.Current }, noNumber},
		{"energy huge", values{getEnergyUsage: `{"today_energy":1e308}`}, today, noNumber},
		{"energy as a string", values{getEnergyUsage: `{"today_energy":"73"}`}, today, plug.Some(262800.0)},
		{"energy of a month at full load", values{getEnergyUsage: `{"month_energy":2976000}`}, func(o plug.Outlet) any { return o.EnergyMonth }, plug.Some(2976000 * 3600.0)},
		{"histories of the first firmware", values{getEnergyUsage: `{"past24h":[1,2],"past7d":[[1]],"past30d":[3],"past1y":[4],"today_energy":1}`}, today, plug.Some(3600.0)},
		{"switched on for longer than ever", values{getDeviceInfo: `{"on_time":1e18}`}, func(o plug.Outlet) any { return o.OnFor }, noTime},
		{"switched on for less than nothing", values{getDeviceInfo: `{"on_time":-1}`}, func(o plug.Outlet) any { return o.OnFor }, noTime},
		{"limit huge", values{getProtectionPower: `{"enabled":true,"protection_power":1e9}`}, func(o plug.Outlet) any { return o.PowerLimit }, noNumber},
		{"limit null", values{getProtectionPower: `{"enabled":true,"protection_power":null}`}, func(o plug.Outlet) any { return o.PowerLimit }, noNumber},
		{"limit, not enabled", values{getProtectionPower: `{"enabled":false,"protection_power":2960}`}, func(o plug.Outlet) any { return o.PowerLimit }, noNumber},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, o := decodeOutlet(t, tc.in); tc.get(o) != tc.want {
				t.Errorf("%+v, want %+v", tc.get(o), tc.want)
			}
		})
	}
}

func TestDecodeName(t *testing.T) {
	for in, want := range map[string]string{
		"S8O8Y2hl":     "Küche",
		"":             "",
		"Kitchen lamp": "Kitchen lamp", // no base64
		"/w==":         "/w==",         // no UTF-8 inside
		"IEEg":         "A",
		"8J+Uiw==":     "🔋",
		"Ilx1MDAwMCI=": `"\u0000"`,
		"YQpiIg==":     "a\ufffdb\"", // a line feed and a quote
		"\"\n🔋":        "\"\ufffd🔋",
	} {
		if got := decodeName(lenient.Text(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestDecodeText: what is not UTF-8 becomes so, in names and elsewhere.
func TestDecodeText(t *testing.T) {
	info, o := decodeOutlet(t, map[*method]string{getDeviceInfo: "{\"nickname\":\"K\xfcche\",\"model\":\"P\xff1\",\"mac\":5,\"fw_ver\":null}"})
	if want := "K\uFFFDche"; info.Name != want || o.Name != want || info.Model != "P\uFFFD1" || info.MAC != "" || info.Firmware != "" {
		t.Errorf("%+q", info)
	}
}

func TestDecodeSignal(t *testing.T) {
	for text, want := range map[string]plug.Optional[float64]{`-55`: plug.Some(-55.0), `"-55"`: plug.Some(-55.0), `null`: {}, `1e9`: {}, `-2147483648`: {}} {
		r := newReplies()
		file(t, &unit{}, r, getDeviceInfo, `{"rssi":`+text+`}`)
		if got := rssi(r.info.RSSI); got != want {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

// FuzzDecode feeds anything to every method's decoder.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"device_id":"8022","device_on":true,"on_time":12345,"rssi":-55,"nickname":"S8O8Y2hl","overheated":false}`,
		`{"today_runtime":61,"month_runtime":4321,"today_energy":73,"month_energy":5189,"local_time":"2026-01-31 23:59:58","current_power":71502}`,
		`{"component_list":[{"id":"energy_monitoring","ver_code":2}]}`,
		`{"current_ma":744,"voltage_mv":"234120","power_mw":null}`,
		`{"child_device_list":[{"device_id":"a","position":2,"category":"plug.powerstrip.sub-plug","on_off":1},{"position":2},{}],"start_index":0,"sum":3}`,
		`{"child_component_list":[{"device_id":"a","component_list":[{"id":"energy_monitoring","ver_code":2}]}],"sum":1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, u := newReplies(), &unit{}
		var res result
		if !lenient.Unmarshal(data, &res) {
			return
		}
		for _, m := range methods {
			m.file(u, r, &res)
		}
		info := r.info.info()
		o := r.outlet(u, 1, false)
		for _, s := range []string{info.DeviceID, info.MAC, info.Model, info.Hardware, info.Firmware, info.Name} {
			if !utf8.ValidString(s) {
				t.Errorf("%q is not UTF-8", s)
			}
		}
		for _, v := range []plug.Optional[float64]{o.Voltage, o.Current, o.EnergyToday, o.EnergyMonth, o.ReturnedToday, o.ReturnedMonth, o.PowerLimit} {
			if f, ok := v.Get(); ok && (f < 0 || math.IsNaN(f)) {
				t.Errorf("%v", f)
			}
		}
		if f, ok := o.Power.Get(); ok && (math.IsNaN(f) || math.Abs(f) > maxWatts) {
			t.Errorf("%v W", f)
		}
		for _, v := range []plug.Optional[time.Duration]{o.OnFor, o.OnToday, o.OnMonth} {
			if d, ok := v.Get(); ok && d < 0 {
				t.Errorf("%v", d)
			}
		}
		seen := map[int]bool{}
		for _, n := range numbers(outletsOf(r.children), func(string) int { return 0 }) {
			if n < 1 || n > 2*maxChildren || seen[n] {
				t.Errorf("number %d", n)
			}
			seen[n] = true
		}
		readClock(string(r.energy.LocalTime), newZone(string(r.info.Region), optional(r.info.TimeDiff)), time.Now())
	})
}
