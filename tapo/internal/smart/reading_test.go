// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestReading(t *testing.T) {
	now := time.Date(2026, 7, 4, 12, 30, 15, 0, time.UTC)
	p := plugtest.Start(t, &simulator.Plug{
		Name: "Kühlschrank", Region: "Europe/Berlin", Load: simulator.Constant(100), Now: func() time.Time { return now },
	})
	r := plugtest.Read(t, plugtest.Device(t, p, func(c *tapo.Config) { c.Now = func() time.Time { return now } }))

	if r.Protocol != tapo.KLAP || !r.Time.Equal(now) {
		t.Errorf("protocol %s at %v", r.Protocol, r.Time)
	}
	if r.Info.Name != "Kühlschrank" || r.Info.Model != "P110" || r.Info.Firmware != simulator.P110.Firmware || len(r.Info.DeviceID) != 40 {
		t.Errorf("info %+v", r.Info)
	}
	o := r.Outlets[0]
	midnight := time.Date(2026, 7, 3, 22, 0, 0, 0, time.UTC)
	first := time.Date(2026, 6, 30, 22, 0, 0, 0, time.UTC)
	for what, got := range map[string][2]any{
		"number":       {o.Number, 1},
		"name":         {o.Name, "Kühlschrank"},
		"on":           {o.On, tapo.Some(true)},
		"power":        {o.Power, tapo.Some(100.0)},
		"energy today": {o.EnergyToday, tapo.Some(3600 * float64(int(100*now.Sub(midnight).Hours())))},
		"energy month": {o.EnergyMonth, tapo.Some(3600 * float64(int(100*now.Sub(first).Hours())))},
		"on today":     {o.OnToday, tapo.Some(now.Sub(midnight).Truncate(time.Minute))},
		"on month":     {o.OnMonth, tapo.Some(now.Sub(first).Truncate(time.Minute))},
		"limit":        {o.PowerLimit, tapo.Some(2960.0)},
		"overloaded":   {o.Overloaded, tapo.Some(false)},
		"overcurrent":  {o.Overcurrent, tapo.Some(false)},
		"charging":     {o.ChargingFinished, tapo.Some(false)},
		"overheated":   {o.Overheated, tapo.Optional[bool]{}}, // neither field on this firmware
		"RSSI":         {r.RSSI, tapo.Some(-55.0)},
		"clock":        {r.ClockOffset, tapo.Some(time.Duration(0))},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %+v, want %+v", what, got[0], got[1])
		}
	}
	if v, ok := o.Voltage.Get(); !ok || v < 220 || v > 240 {
		t.Errorf("voltage %v, %t", v, ok)
	}
	if a, ok := o.Current.Get(); !ok || a < 0.4 || a > 0.7 {
		t.Errorf("current %v, %t", a, ok)
	}
}

func TestSwitchedOutlet(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{Load: simulator.Constant(60)})
	d := plugtest.Device(t, p)
	p.SetRelay(false)
	o := plugtest.Read(t, d).Outlets[0]
	if o.On != tapo.Some(false) || o.Power != tapo.Some(0.0) || o.OnFor != tapo.Some(time.Duration(0)) {
		t.Errorf("off: %+v", o)
	}
	if _, ok := o.Voltage.Get(); !ok {
		t.Error("off: no voltage")
	}
	p.SetRelay(true)
	if o := plugtest.Read(t, d).Outlets[0]; o.On != tapo.Some(true) || o.Power != tapo.Some(60.0) {
		t.Errorf("on: %+v", o)
	}
}

func TestPlugWithoutMeter(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P100, simulator.P105} {
		r := plugtest.Read(t, plugtest.Device(t, plugtest.Start(t, &simulator.Plug{Model: m})))
		o := r.Outlets[0]
		none := tapo.Optional[float64]{}
		if o.Power != none || o.Voltage != none || o.Current != none || o.EnergyToday != none || o.EnergyMonth != none || o.PowerLimit != none {
			t.Errorf("%s has values of a meter: %+v", m.Name, o)
		}
		if o.On != tapo.Some(true) {
			t.Errorf("%s: state %+v", m.Name, o.On)
		}
	}
}

// TestOtherDevices have what they give, and never fail.
func TestOtherDevices(t *testing.T) {
	for _, tc := range []struct {
		model   simulator.Model
		outlets int
	}{
		{simulator.L530, 1}, {simulator.L900, 1}, {simulator.S505, 1}, {simulator.H100, 0},
	} {
		p := plugtest.Start(t, &simulator.Plug{Model: tc.model, Name: "Thing"})
		d := plugtest.Device(t, p)
		for range 2 {
			r := plugtest.Read(t, d)
			if len(r.Outlets) != tc.outlets || r.Info.Model != tc.model.Name {
				t.Errorf("%s: %+v", tc.model.Name, r)
			}
			for _, o := range r.Outlets {
				if o.On != tapo.Some(true) || o.Power != (tapo.Optional[float64]{}) {
					t.Errorf("%s: %+v", tc.model.Name, o)
				}
			}
		}
		if got := p.Stats().Methods["get_child_device_list"]; got != 0 {
			t.Errorf("%s: asked for children %d times", tc.model.Name, got)
		}
	}
}

// TestHostileTexts: names, versions and ids are on one line and bounded, whatever the plug
// reports.
func TestHostileTexts(t *testing.T) {
	long := strings.Repeat("é💡", 5_000)
	for text, want := range map[string]string{
		"a\u202eb\u009b31mc\x1b[2J\nd": "a\ufffdb\ufffd31mc\ufffd[2J\ufffdd",
		long:                           long[:254], // a character ends at byte 258
		"\u200f" + long:                ("\ufffd" + long)[:255],
	} {
		p := plugtest.Start(t, &simulator.Plug{})
		members := map[string]any{"type": "SMART.TAPOPLUG", "device_on": true}
		for _, name := range []string{"device_id", "mac", "model", "hw_ver", "fw_ver", "nickname"} {
			members[name] = text
		}
		members["nickname"] = base64.StdEncoding.EncodeToString([]byte(text))
		result, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		p.Answer("get_device_info", string(result))
		r := plugtest.Read(t, plugtest.Device(t, p))
		if got := r.Info; got != (tapo.Info{DeviceID: want, MAC: want, Model: want, Hardware: want, Firmware: want, Name: want}) || r.Outlets[0].Name != want {
			t.Errorf("%.20q: got %+v, want %q", text, r, want)
		}
	}
}
