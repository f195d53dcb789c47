// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// componentList is the result of component_nego.
type componentList struct {
	Components []Component `json:"component_list"`
}

// currentPower is the result of get_current_power.
type currentPower struct {
	Watts int `json:"current_power"`
}

// emeterData is the result of get_emeter_data.
type emeterData struct {
	Milliamperes int `json:"current_ma"`
	Millivolts   int `json:"voltage_mv"`
	Milliwatts   int `json:"power_mw"`
	WattHours    int `json:"energy_wh"` // since when is not known
}

func (s sample) emeterData() any {
	e := emeterData{s.milliamperes, s.millivolts, s.milliwatts, int(s.month.drawn / 3)}
	if e.Milliwatts >= 0 {
		return e
	}
	// While a P410M feeds in, this is not JSON (python-kasa/python-kasa#1758).
	return json.RawMessage(fmt.Sprintf(`{"current_ma":%d,"voltage_mv":%d,"power_mw":-%d,"energy_wh":%d}`, e.Milliamperes, e.Millivolts, e.Milliwatts, e.WattHours))
}

// deviceInfo is the result of get_device_info. A member that only some firmware has is
// left out if it is empty.
type deviceInfo struct {
	DeviceID       string         `json:"device_id"`
	Firmware       string         `json:"fw_ver"`
	Hardware       string         `json:"hw_ver"`
	Type           string         `json:"type"`
	Model          string         `json:"model"`
	MAC            string         `json:"mac"`
	HardwareID     string         `json:"hw_id"`
	FirmwareID     string         `json:"fw_id"`
	OEMID          string         `json:"oem_id"`
	IP             string         `json:"ip"`
	TimeDiff       int            `json:"time_diff"`
	SSID           string         `json:"ssid"`
	RSSI           int            `json:"rssi,omitempty"`
	SignalLevel    int            `json:"signal_level"`
	Lang           string         `json:"lang"`
	Avatar         string         `json:"avatar"`
	Region         string         `json:"region"`
	Specs          string         `json:"specs"`
	Nickname       string         `json:"nickname"`
	HasLocation    bool           `json:"has_set_location_info"`
	DeviceOn       *bool          `json:"device_on,omitempty"`
	OnTime         *int           `json:"on_time,omitempty"`
	DefaultStates  *defaultStates `json:"default_states,omitempty"`
	Overheated     *bool          `json:"overheated,omitempty"`
	OverheatStatus string         `json:"overheat_status,omitempty"`
	PowerStatus    string         `json:"power_protection_status,omitempty"`
	CurrentStatus  string         `json:"overcurrent_status,omitempty"`
	ChargingStatus string         `json:"charging_status,omitempty"`
}

type defaultStates struct {
	Type  string   `json:"type"`
	State struct{} `json:"state"`
}

func (p *Plug) deviceInfo(u unit) *deviceInfo {
	onTime := int(u.now.onTime / time.Second)
	info := &deviceInfo{
		DeviceID: p.identity.deviceID, Firmware: p.Model.Firmware, Hardware: p.Model.Hardware,
		Type: p.Model.kind(), Model: p.Model.Name, MAC: p.identity.mac,
		HardwareID: p.identity.hardwareID, FirmwareID: strings.Repeat("0", 32), OEMID: p.identity.hardwareID,
		IP: p.Addr().Addr().String(), TimeDiff: u.meter.standardOffset(u.now.clock), SSID: encoded("simulated"),
		RSSI: -55, SignalLevel: 2, Lang: "en_US", Avatar: "plug", Region: p.Region, Specs: p.Model.Region,
		Nickname: encoded(p.Name), DeviceOn: &u.now.on, OnTime: &onTime,
		DefaultStates: &defaultStates{Type: "last_states"},
	}
	if p.Model.isFirstFirmware() {
		info.RSSI, info.DefaultStates = 0, nil
	}
	switch {
	case u.child != nil:
		info.DeviceID, info.MAC, info.Nickname, info.RSSI = u.child.id, bare(p.identity.mac), encoded(u.child.Name), 0
	case p.Model.Strip != nil, p.Model.NoRelay:
		info.DeviceOn, info.OnTime, info.DefaultStates, info.Nickname = nil, nil, nil, ""
		return info
	}
	if u.has("power_protection", 1) {
		info.PowerStatus = "normal"
	}
	if u.has("current_protection", 1) {
		info.CurrentStatus = "normal"
	}
	if u.has("charging_protection", 1) {
		info.ChargingStatus = "normal"
	}
	if has(p.Model.Components, "overheat_protection", 1) {
		info.OverheatStatus = "normal"
		if p.overheated {
			info.OverheatStatus = "overheated"
		}
	} else if p.Model.Protocol == Passthrough || p.Model.Name == "P100" {
		info.Overheated = &p.overheated
	}
	return info
}

func encoded(name string) string { return base64.StdEncoding.EncodeToString([]byte(name)) }

// energyUsage is the result of get_energy_usage. Only the first firmware has the four
// histories (fishbigger/TapoP100#80), and only plugs that measure the direction have
// the counters of directedUsage.
type energyUsage struct {
	TodayRuntime int         `json:"today_runtime"` // minutes
	MonthRuntime int         `json:"month_runtime"`
	TodayEnergy  int         `json:"today_energy"` // Wh
	MonthEnergy  int         `json:"month_energy"`
	LocalTime    string      `json:"local_time"`
	Charge       [3]int      `json:"electricity_charge"`
	Milliwatts   *int        `json:"current_power,omitempty"`
	Past24h      *[24]int    `json:"past24h,omitempty"`
	Past7d       *[7][24]int `json:"past7d,omitempty"`
	Past30d      *[30]int    `json:"past30d,omitempty"`
	Past1y       *[12]int    `json:"past1y,omitempty"`
	*directedUsage
}

// directedUsage has the finer counters, and those of what was fed back
// (python-kasa/python-kasa#1709).
type directedUsage struct {
	TodayEnergyMWh   int `json:"today_energy_mwh"`
	MonthEnergyMWh   int `json:"month_energy_mwh"`
	TodayReturned    int `json:"today_charge_energy"` // Wh
	MonthReturned    int `json:"month_charge_energy"`
	TodayReturnedMWh int `json:"today_charge_energy_mwh"`
	MonthReturnedMWh int `json:"month_charge_energy_mwh"`
}

func (u unit) energyUsage() any {
	now := u.now
	usage := &energyUsage{
		TodayRuntime: int(now.today.runtime / time.Minute), MonthRuntime: int(now.month.runtime / time.Minute),
		TodayEnergy: now.drawn.todayWh, MonthEnergy: now.drawn.monthWh,
		LocalTime: now.clock.Format(time.DateTime),
	}
	if !u.noPower {
		usage.Milliwatts = &now.milliwatts
	}
	if !u.has("energy_monitoring", 2) {
		usage.Past24h, usage.Past7d, usage.Past30d, usage.Past1y = new([24]int), new([7][24]int), new([30]int), new([12]int)
	}
	if u.has("energy_monitoring", directed) {
		usage.directedUsage = &directedUsage{
			now.drawn.todayMWh, now.drawn.monthMWh, now.returned.todayWh, now.returned.monthWh, now.returned.todayMWh, now.returned.monthMWh,
		}
	}
	return usage
}

// deviceUsage is the result of get_device_usage.
func (u unit) deviceUsage() any {
	now := u.now
	window := func(day, month int) [3]int { return [3]int{day, min(month, 7*day), month} }
	named := func(w [3]int) map[string]int { return map[string]int{"today": w[0], "past7": w[1], "past30": w[2]} }
	minutes := window(int(now.today.runtime/time.Minute), int(now.month.runtime/time.Minute))
	usage := map[string]any{"time_usage": named(minutes)}
	if u.has("energy_monitoring", 1) {
		wattHours := window(now.drawn.todayWh, now.drawn.monthWh)
		var saved [3]int // in python-kasa's recordings: what a lamp of 60 W would have used more
		for i := range saved {
			saved[i] = max(0, minutes[i]-wattHours[i])
		}
		usage["power_usage"], usage["saved_power"] = named(wattHours), named(saved)
	}
	return usage
}
