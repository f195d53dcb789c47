// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// replies are a plug's answers to the methods of one read.
type replies struct {
	state [numMethods]state
	code  [numMethods]int // error codes of the refused ones

	describing bool // nothing is asked but what the plug is

	info       deviceInfo
	components map[string]int
	energy     energyUsage
	emeter     emeterData
	power      lenient.Number // of get_current_power, in whole watts
	protection protectionPower

	children         []child                   // of all pages so far
	received         int                       // entries of these pages
	numChildren      int                       // how many the plug says there are
	socketComponents map[string]map[string]int // by device_id
	numComponents    int                       // of how many sockets the plug says that there are lists
	gotComponents    int
}

type state int8

const (
	unasked state = iota
	answered
	refused
)

// result is the result of any one method: the union of all that are read here,
// so that a batch is decoded in one go.
type result struct {
	deviceInfo
	energyUsage
	emeterData
	protectionPower

	ComponentList componentList `json:"component_list"`

	Sum                lenient.Number    `json:"sum"` // of the entries of all pages
	ChildDeviceList    []child           `json:"child_device_list"`
	ChildComponentList []childComponents `json:"child_component_list"`
}

// componentList is what a plug or a socket can do.
type componentList []struct {
	ID      lenient.Text   `json:"id"`
	Version lenient.Number `json:"ver_code"`
}

// child is an entry of get_child_device_list: a socket of a strip.
type child struct {
	deviceInfo
	protectionPower // P304M, P210M

	Category lenient.Text   `json:"category"`
	Position lenient.Number `json:"position"` // from 1
	OnOff    lenient.Flag   `json:"on_off"`   // P316M
}

// childComponents is an entry of get_child_device_component_list.
type childComponents struct {
	DeviceID      lenient.Text  `json:"device_id"`
	ComponentList componentList `json:"component_list"`
}

// take files the result of a method.
func (r *replies) take(m method, res *result) {
	switch m {
	case getDeviceInfo:
		r.info = res.deviceInfo
	case componentNego:
		r.components = res.ComponentList.versions()
	case getChildDeviceList:
		for _, c := range res.ChildDeviceList {
			if c.DeviceID == "" || !slices.ContainsFunc(r.children, func(o child) bool { return o.DeviceID == c.DeviceID }) {
				r.children = append(r.children, c)
			}
		}
		r.received += len(res.ChildDeviceList)
		r.numChildren = int(min(res.Sum.Value, maxChildren))
	case getChildComponentList:
		if r.socketComponents == nil {
			r.socketComponents = map[string]map[string]int{}
		}
		for _, c := range res.ChildComponentList {
			r.socketComponents[string(c.DeviceID)] = c.ComponentList.versions()
		}
		r.gotComponents += len(res.ChildComponentList)
		r.numComponents = int(min(res.Sum.Value, maxChildren))
	case getEnergyUsage:
		r.energy = res.energyUsage
	case getEmeterData:
		r.emeter = res.emeterData
	case getCurrentPower:
		r.power = res.CurrentPower
	case getProtectionPower:
		r.protection = res.protectionPower
	}
}

// versions returns the versions of the components, nil where there is no list.
func (l componentList) versions() map[string]int {
	if l == nil {
		return nil
	}
	versions := make(map[string]int, len(l))
	for _, c := range l {
		versions[string(c.ID)] = max(1, int(c.Version.Value))
	}
	return versions
}

// deviceInfo is the result of get_device_info.
type deviceInfo struct {
	DeviceID lenient.Text `json:"device_id"`
	MAC      lenient.Text `json:"mac"`
	Model    lenient.Text `json:"model"`
	Type     lenient.Text `json:"type"` // SMART.TAPOPLUG
	Hardware lenient.Text `json:"hw_ver"`
	Firmware lenient.Text `json:"fw_ver"`
	Nickname lenient.Text `json:"nickname"` // base64
	Region   lenient.Text `json:"region"`

	DeviceOn lenient.Flag   `json:"device_on"`
	OnTime   lenient.Number `json:"on_time"`   // seconds
	RSSI     lenient.Number `json:"rssi"`      // dBm
	TimeDiff lenient.Number `json:"time_diff"` // minutes

	Overheated            lenient.Flag `json:"overheated"`      // older firmware
	OverheatStatus        lenient.Text `json:"overheat_status"` // newer firmware
	PowerProtectionStatus lenient.Text `json:"power_protection_status"`
	OvercurrentStatus     lenient.Text `json:"overcurrent_status"`
	ChargingStatus        lenient.Text `json:"charging_status"`
}

// energyUsage is the result of get_energy_usage. The power is also that of
// get_current_power, there in whole watts.
type energyUsage struct {
	TodayRuntime lenient.Number `json:"today_runtime"` // minutes
	MonthRuntime lenient.Number `json:"month_runtime"` // minutes
	TodayEnergy  lenient.Number `json:"today_energy"`  // Wh
	MonthEnergy  lenient.Number `json:"month_energy"`  // Wh
	LocalTime    lenient.Text   `json:"local_time"`
	CurrentPower lenient.Number `json:"current_power"` // mW
}

// emeterData is the result of get_emeter_data. Its energy_wh is left out: it
// matches no known window of time.
type emeterData struct {
	CurrentMA lenient.Number `json:"current_ma"`
	VoltageMV lenient.Number `json:"voltage_mv"`
	PowerMW   lenient.Number `json:"power_mw"`
}

// protectionPower is the result of get_protection_power. Firmware calls the
// switch by either name.
type protectionPower struct {
	Enabled           lenient.Flag   `json:"enabled"`
	ProtectionEnabled lenient.Flag   `json:"protection_enabled"`
	Power             lenient.Number `json:"protection_power"` // W
}

// decodeLeniently decodes what fits; members of another type stay empty. The
// error wraps plugerr.ErrBadReply.
func decodeLeniently(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	if _, mismatch := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !mismatch {
		return fmt.Errorf("%w: not JSON", plugerr.ErrBadReply)
	}
	return nil
}

func (i *deviceInfo) info() Info {
	return Info{
		DeviceID: string(i.DeviceID),
		MAC:      string(i.MAC),
		Model:    string(i.Model),
		Hardware: string(i.Hardware),
		Firmware: string(i.Firmware),
		Name:     decodeName(string(i.Nickname)),
	}
}

// hasOutlet reports whether what was read has anything to be shown as a socket:
// hubs have not.
func (r *replies) hasOutlet() bool {
	kind := strings.ToUpper(string(r.info.Type))
	return kind == "" || strings.Contains(kind, "PLUG") || r.info.DeviceOn.Valid || r.state[getEnergyUsage] == answered || r.state[getEmeterData] == answered
}

// outlet puts a socket's values together, in base units. Without a clock there
// are no windows of time.
func (r *replies) outlet(number int, clockWrong bool) Outlet {
	o := Outlet{
		Number:  number,
		Name:    decodeName(string(r.info.Nickname)),
		On:      optionalFlag(r.info.DeviceOn),
		OnFor:   duration(r.info.OnTime, time.Second),
		Voltage: scaled(r.emeter.VoltageMV, 1e-3, maxVolts),
		Current: scaled(r.emeter.CurrentMA, 1e-3, maxAmperes),

		Overheated:       oneOf(r.info.OverheatStatus, "overheated", "normal", "cool_down"),
		Overloaded:       oneOf(r.info.PowerProtectionStatus, "overloaded", "normal"),
		Overcurrent:      oneOf(r.info.OvercurrentStatus, "lifted", "normal"),
		ChargingFinished: oneOf(r.info.ChargingStatus, "finished", "normal"),
	}
	if _, ok := o.Overheated.Get(); !ok {
		o.Overheated = optionalFlag(r.info.Overheated)
	}
	for _, source := range []Optional[float64]{
		scaled(r.emeter.PowerMW, 1e-3, maxWatts), scaled(r.energy.CurrentPower, 1e-3, maxWatts), scaled(r.power, 1, maxWatts),
	} {
		if _, ok := source.Get(); ok {
			o.Power = source
			break
		}
	}
	if !clockWrong {
		o.EnergyToday = scaled(r.energy.TodayEnergy, joulesPerWh, maxJoules)
		o.EnergyMonth = scaled(r.energy.MonthEnergy, joulesPerWh, maxJoules)
		o.OnToday = duration(r.energy.TodayRuntime, time.Minute)
		o.OnMonth = duration(r.energy.MonthRuntime, time.Minute)
	}
	if r.protection.Enabled.Value || r.protection.ProtectionEnabled.Value {
		o.PowerLimit = scaled(r.protection.Power, 1, maxWatts)
	}
	return o
}

// decodeName returns a nickname, which is base64 of UTF-8 by the book, or else
// shown as it came.
func decodeName(s string) string {
	if b, err := base64.StdEncoding.DecodeString(s); err == nil && utf8.Valid(b) {
		s = string(b)
	}
	return strings.TrimSpace(s)
}

const joulesPerWh = 3600

// What no plug can show, by a wide margin. Beyond it a number is damaged.
const (
	maxWatts   = 1e5
	maxVolts   = 1e3
	maxAmperes = 1e3
	maxJoules  = maxWatts * 31 * 24 * joulesPerWh
	maxRSSI    = 200 // dBm, either way
)

// scaled converts a quantity to its base unit. Plugs have been seen to send
// negative numbers, which mean nothing.
func scaled(n lenient.Number, factor, most float64) Optional[float64] {
	v := n.Value * factor
	if factor == 1e-3 {
		v = n.Value / 1e3 // exact where a product is not: 0.001 has no binary form
	}
	if !n.Valid || v < 0 || v > most {
		return Optional[float64]{}
	}
	return Some(v)
}

// duration converts a number of units; one that no plug can have lived is
// dropped.
func duration(n lenient.Number, unit time.Duration) Optional[time.Duration] {
	const century = 100 * 365 * 24 * time.Hour
	if !n.Valid || n.Value < 0 || n.Value > float64(century/unit) {
		return Optional[time.Duration]{}
	}
	return Some(time.Duration(n.Value * float64(unit)))
}

func rssi(n lenient.Number) Optional[float64] {
	return plug.Maybe(n.Value, n.Valid && math.Abs(n.Value) <= maxRSSI)
}

func optional(n lenient.Number) Optional[float64] { return plug.Maybe(n.Value, n.Valid) }

func optionalFlag(f lenient.Flag) Optional[bool] { return plug.Maybe(f.Value, f.Valid) }

// oneOf reads a status: true for one word, false for some, absent for others.
func oneOf(status lenient.Text, yes lenient.Text, no ...lenient.Text) Optional[bool] {
	if status != yes && !slices.Contains(no, status) {
		return Optional[bool]{}
	}
	return Some(status == yes)
}
