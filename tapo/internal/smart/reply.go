// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
)

// replies has a unit's replies to the methods of one read.
type replies struct {
	outcomes []outcome // by method.index

	describing bool // only the methods that say what the plug is are asked

	info   deviceInfo
	energy energyUsage
	emeter emeterData
	power  lenient.Number // of get_current_power, in whole watts

	children        []child                   // of all pages so far, without repetitions
	received        int                       // the number of entries of these pages
	numChildren     int                       // of all pages, as reported
	childComponents map[string]map[string]int // by device_id
	numComponents   int                       // lists of components in all pages, as reported
	gotComponents   int                       // lists of components so far
}

// outcome is the outcome of a method in one read.
type outcome struct {
	state state
	err   error // why it has failed
}

type state int8

const (
	unasked state = iota
	answered
	failed // refused, or the reply is of no use
)

func newReplies() *replies { return &replies{outcomes: make([]outcome, len(methods))} }

func (r *replies) of(m *method) outcome { return r.outcomes[m.index] }

func (r *replies) answer(m *method) { r.outcomes[m.index] = outcome{state: answered} }

func (r *replies) fail(m *method, err error) { r.outcomes[m.index] = outcome{failed, err} }

func (r *replies) any(s state) bool {
	return slices.ContainsFunc(r.outcomes, func(o outcome) bool { return o.state == s })
}

// empty reports whether no method has an outcome.
func (r *replies) empty() bool { return !r.any(answered) && !r.any(failed) }

// sayNothing reports whether no method was answered. Lists of components alone are nothing.
func (r *replies) sayNothing() bool {
	return !slices.ContainsFunc(methods, func(m *method) bool {
		return r.of(m).state == answered && m != componentNego && m != getChildComponentList
	})
}

// failure returns the error of get_device_info, or else of another method that has failed.
func (r *replies) failure() (err error) {
	for _, m := range byFirstRank {
		err = cmp.Or(err, r.of(m).err)
	}
	return err
}

// response is a reply to a method, alone or in a batch, or to a batch.
type response struct {
	Method    lenient.Text   `json:"method"`
	ErrorCode lenient.Number `json:"error_code"`
	Result    responseResult `json:"result"`
}

type responseResult struct {
	result
	Responses    []response `json:"responses"`    // of multipleRequest
	ResponseData *response  `json:"responseData"` // of control_child
}

func (r *response) code() int { return int(r.ErrorCode.Value) }

// saysNothing reports whether a result has no member that is known.
func (r *result) saysNothing() bool { return reflect.ValueOf(r).Elem().IsZero() }

// result is the union of the results of all methods, so that a batch is decoded at once.
type result struct {
	deviceInfo
	energyUsage
	emeterData
	protectionPower

	ComponentList componentList `json:"component_list"`

	Sum                lenient.Number       `json:"sum"` // of the entries of all pages
	ChildDeviceList    []child              `json:"child_device_list"`
	ChildComponentList []childComponentList `json:"child_component_list"`
}

// componentList is the list of components of a plug or a child.
type componentList []struct {
	ID      lenient.Text   `json:"id"`
	Version lenient.Number `json:"ver_code"`
}

// child is an entry of get_child_device_list: an outlet of a strip.
type child struct {
	deviceInfo
	protectionPower // P304M, P210M

	Category lenient.Text   `json:"category"`
	Position lenient.Number `json:"position"` // from 1
	OnOff    lenient.Flag   `json:"on_off"`   // P316M
}

// childComponentList is an entry of get_child_device_component_list.
type childComponentList struct {
	DeviceID      lenient.Text  `json:"device_id"`
	ComponentList componentList `json:"component_list"`
}

// addChildren files a page of the list of children.
func (r *replies) addChildren(res *result) {
	for _, c := range res.ChildDeviceList {
		if c.DeviceID == "" || !slices.ContainsFunc(r.children, func(o child) bool { return o.DeviceID == c.DeviceID }) {
			r.children = append(r.children, c)
		}
	}
	r.received += len(res.ChildDeviceList)
	r.numChildren = int(min(res.Sum.Value, maxChildren))
}

// addChildComponents files a page of the children's components.
func (r *replies) addChildComponents(res *result) {
	if r.childComponents == nil {
		r.childComponents = map[string]map[string]int{}
	}
	for _, c := range res.ChildComponentList {
		r.childComponents[string(c.DeviceID)] = c.ComponentList.versions()
	}
	r.gotComponents += len(res.ChildComponentList)
	r.numComponents = int(min(res.Sum.Value, maxChildren))
}

// versions returns the versions of the components, nil if there is no list.
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
	CurrentPower lenient.Number `json:"current_power"` // mW, negative while power is fed back

	// Of P410M, which tells the direction (python-kasa/python-kasa#1709): finer counters,
	// and those of the energy that was fed back.
	TodayEnergyMWh   lenient.Number `json:"today_energy_mwh"`
	MonthEnergyMWh   lenient.Number `json:"month_energy_mwh"`
	TodayReturned    lenient.Number `json:"today_charge_energy"` // Wh
	MonthReturned    lenient.Number `json:"month_charge_energy"` // Wh
	TodayReturnedMWh lenient.Number `json:"today_charge_energy_mwh"`
	MonthReturnedMWh lenient.Number `json:"month_charge_energy_mwh"`
}

// emeterData is the result of get_emeter_data. Its energy_wh is left out: when it began to
// count is not known, and python-kasa leaves it out as well.
type emeterData struct {
	CurrentMA lenient.Number `json:"current_ma"`
	VoltageMV lenient.Number `json:"voltage_mv"`
	PowerMW   lenient.Number `json:"power_mw"` // negative while power is fed back
}

// protectionPower is the result of get_protection_power. The switch has two names: the
// children of P316M use protection_enabled (python-kasa's recordings,
// tests/fixtures/smart).
type protectionPower struct {
	Enabled           lenient.Flag   `json:"enabled"`
	ProtectionEnabled lenient.Flag   `json:"protection_enabled"`
	Power             lenient.Number `json:"protection_power"` // W
}
