// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"cmp"
	"slices"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
)

// method is a row of the table of methods that a read uses: when to ask for the method,
// and what to do with its result.
type method struct {
	name string
	// component announces the method, from a version on; "" means that none does.
	component string
	version   int
	// certain marks a method that a unit has if it announces the component. Firmware may
	// lack others.
	certain bool
	// ofOutlets marks a method that the children of a strip answer, and of other plugs
	// the plug itself. Others are the plug's own.
	ofOutlets bool
	// describes marks a method of the plug that a description needs, too.
	describes bool
	// every is how long a result stays valid, unless there is another login. 0 means that
	// each read asks.
	every time.Duration
	// rank is the position in a batch among methods that the unit has answered before,
	// and firstRank that among the others. A batch ends at the first refusal
	// (python-kasa's smartprotocol.py). So answered methods go first, those that fail
	// while the clock is not set go last among them, and the likeliest refusal goes last
	// of all. singleRank is the position among single requests, of which a read may not
	// have enough: the least important method goes last.
	rank, firstRank, singleRank int
	// needed reports whether the result is needed, if the members above allow the
	// method. Nil means that it is.
	needed func(d *Dialect, u *unit, got *replies) bool
	// pages returns the index at which the next page begins, the number of entries so
	// far, and the number of all entries. Nil means that the method has no pages.
	pages func(got *replies) (start, have, all int)
	// file takes the result. clear forgets the last one: after a failure and, for a
	// result that stays valid, at a login. It may be nil.
	file  func(u *unit, got *replies, res *result)
	clear func(u *unit)
	// lacking reports that the result is empty. The method is then not asked for a day.
	// It may be nil.
	lacking func(u *unit) bool

	index int // in methods
}

var (
	getDeviceInfo = &method{
		name: "get_device_info", certain: true, describes: true, rank: 1, firstRank: 1, singleRank: 1,
		file: func(_ *unit, got *replies, res *result) { got.info = res.deviceInfo },
	}
	componentNego = &method{
		name: "component_nego", describes: true, rank: 2, firstRank: 2, singleRank: 5,
		needed:  func(_ *Dialect, u *unit, _ *replies) bool { return u.components == nil },
		file:    func(u *unit, _ *replies, res *result) { u.components = res.ComponentList.versions() },
		lacking: func(u *unit) bool { return u.components == nil },
	}
	getChildDeviceList = &method{
		name: "get_child_device_list", component: "child_device", version: 1, certain: true, describes: true, rank: 3, firstRank: 3, singleRank: 6,
		needed: func(d *Dialect, _ *unit, got *replies) bool { return d.mayBeStrip(got) },
		pages:  func(got *replies) (start, have, all int) { return got.received, len(got.children), got.numChildren },
		file:   func(_ *unit, got *replies, res *result) { got.addChildren(res) },
	}
	getChildComponentList = &method{
		name: "get_child_device_component_list", component: "child_device", version: 1, certain: true, describes: true, rank: 4, firstRank: 4, singleRank: 7,
		needed: func(d *Dialect, _ *unit, got *replies) bool { return d.mayBeStrip(got) && d.profile.children == nil },
		pages: func(got *replies) (start, have, all int) {
			return got.gotComponents, got.gotComponents, got.numComponents
		},
		file: func(_ *unit, got *replies, res *result) { got.addChildComponents(res) },
	}
	getEnergyUsage = &method{
		name: "get_energy_usage", component: "energy_monitoring", version: 1, certain: true, ofOutlets: true, rank: 8, firstRank: 5, singleRank: 2,
		file: func(u *unit, got *replies, res *result) {
			got.energy, u.powerInEnergy = res.energyUsage, isPower(res.CurrentPower)
		},
		clear: func(u *unit) { u.powerInEnergy = false },
	}
	getProtectionPower = &method{
		name: "get_protection_power", component: "power_protection", version: 1, ofOutlets: true, every: limitLife, rank: 5, firstRank: 6, singleRank: 8,
		file:  func(u *unit, _ *replies, res *result) { u.protection = res.protectionPower },
		clear: func(u *unit) { u.protection = protectionPower{} },
	}
	getCurrentPower = &method{ // the coarsest of three sources of power
		name: "get_current_power", component: "energy_monitoring", version: 1, ofOutlets: true, rank: 6, firstRank: 7, singleRank: 4,
		needed: func(d *Dialect, u *unit, got *replies) bool {
			return !u.powerInEnergy && !d.expectsPowerOfEmeter(u, got)
		},
		file: func(_ *unit, got *replies, res *result) { got.power = res.CurrentPower },
	}
	getEmeterData = &method{
		name: "get_emeter_data", component: "energy_monitoring", version: 2, ofOutlets: true, rank: 7, firstRank: 8, singleRank: 3,
		file: func(u *unit, got *replies, res *result) {
			got.emeter, u.emeterLacksPower = res.emeterData, !isPower(res.PowerMW)
		},
		clear: func(u *unit) { u.emeterLacksPower = false },
	}
)

// methods is the table.
var methods = []*method{
	getDeviceInfo, componentNego, getChildDeviceList, getChildComponentList,
	getEnergyUsage, getProtectionPower, getCurrentPower, getEmeterData,
}

// The table in the order of a batch, for methods that the unit has answered before, and
// for others.
var byRank, byFirstRank []*method

func init() {
	for i, m := range methods {
		m.index = i
	}
	byRank = slices.SortedFunc(slices.Values(methods), func(a, b *method) int { return cmp.Compare(a.rank, b.rank) })
	byFirstRank = slices.SortedFunc(slices.Values(methods), func(a, b *method) int { return cmp.Compare(a.firstRank, b.firstRank) })
}

// limitLife is how long the power limit is valid, which the owner may change in the app.
const limitLife = 10 * time.Minute

// isPower reports whether a number can be a power in mW.
func isPower(n lenient.Number) bool {
	_, ok := watts(n, 1e-3).Get()
	return ok
}

// methodNamed returns the method with a name, nil if there is none.
func methodNamed(name string) *method {
	for _, m := range methods {
		if m.name == name {
			return m
		}
	}
	return nil
}

// missing returns the methods to ask a unit for that got does not have yet, in their
// order.
func (d *Dialect) missing(u *unit, got *replies) []*method {
	missing := make([]*method, 0, len(methods))
	for _, m := range byRank {
		if u.of(m).works() && d.wants(u, m, got) {
			missing = append(missing, m)
		}
	}
	settled := len(missing)
	for _, m := range byFirstRank {
		if !u.of(m).works() && d.wants(u, m, got) {
			missing = append(missing, m)
		}
	}
	if u.isChild() { // a method that fails on other children is the likeliest refusal
		slices.SortStableFunc(missing[settled:], func(a, b *method) int { return order(d.restsOnAnyChild(a)) - order(d.restsOnAnyChild(b)) })
	}
	if len(missing) == 0 && !u.isChild() && got.empty() {
		return append(missing, getDeviceInfo) // although it rests: it shows whether the session is valid
	}
	return missing
}

func order(last bool) int {
	if last {
		return 1
	}
	return 0
}

// wants reports whether to ask a unit for a method.
func (d *Dialect) wants(u *unit, m *method, got *replies) bool {
	switch {
	case got.of(m).state != unasked, got.describing && !m.describes:
		return false
	case d.rests(u, m) && (m != getDeviceInfo || !d.lacksIdentity()):
		return false
	case m.every > 0 && d.opts.Now().Before(u.of(m).filed.Add(m.every)):
		return false
	}
	if !m.ofOutlets && u.isChild() || m.ofOutlets && !u.isChild() && (d.profile.isStrip() || d.mayTurnOutStrip(got)) {
		return false
	}
	return (m.component == "" || u.has(m.component, m.version)) && (m.needed == nil || m.needed(d, u, got))
}

// mayTurnOutStrip reports whether the plug has no outlet of its own, and has not listed its
// components yet, so that it may be a strip.
func (d *Dialect) mayTurnOutStrip(got *replies) bool {
	u := &d.profile.plug
	return got.of(getDeviceInfo).state == answered && !got.info.DeviceOn.Valid && u.components == nil && d.wants(u, componentNego, got)
}

// mayBeStrip reports whether the plug may list children. If its components are not known
// yet, the list waits until component_nego is answered or has failed; but a description
// asks for both in one exchange.
func (d *Dialect) mayBeStrip(got *replies) bool {
	u := &d.profile.plug
	if u.components == nil && got.of(componentNego).state != failed && !d.rests(u, componentNego) {
		return got.describing
	}
	return !d.profile.hub && u.has("child_device", 1)
}

// expectsPowerOfEmeter reports whether get_emeter_data has given the power in this read,
// or is expected to. It is finer than that of get_current_power.
func (d *Dialect) expectsPowerOfEmeter(u *unit, got *replies) bool {
	switch got.of(getEmeterData).state {
	case answered:
		return !u.emeterLacksPower
	case failed:
		return false
	}
	if h := u.of(getEmeterData); u.emeterLacksPower || h.failed || u.isChild() && !h.works() && d.restsOnAnyChild(getEmeterData) {
		return false
	}
	return u.has(getEmeterData.component, getEmeterData.version) && !d.rests(u, getEmeterData)
}

// announces reports whether a unit has a method for certain.
func (u *unit) announces(m *method) bool {
	return m.certain && (m.component == "" || u.components[m.component] >= m.version)
}

// rests reports whether a unit is not asked for a method for now, since that has failed.
func (d *Dialect) rests(u *unit, m *method) bool { return d.opts.Now().Before(u.of(m).restsUntil) }

func (d *Dialect) restsOnAnyChild(m *method) bool {
	for _, c := range d.profile.children {
		if d.rests(c, m) {
			return true
		}
	}
	return false
}
