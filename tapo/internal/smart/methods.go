// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"cmp"
	"slices"
	"time"
)

// method is a row of the table of methods that a read uses: when to ask for the method,
// and what to do with its result.
type method struct {
	name string
	// component announces the method, from a version on; "" means that none does.
	component string
	version   int
	// ofOutlets marks a method that the children of a strip answer, and of other plugs
	// the plug itself. Others are the plug's own.
	ofOutlets bool
	// describes marks a method of the plug that a description needs, too.
	describes bool
	// oncePerLogin marks a method whose result does not change between logins.
	oncePerLogin bool
	// rank is the position in a batch among methods that the unit has answered before,
	// and firstRank that among the others. A batch ends at the first refusal
	// (python-kasa's smartprotocol.py). So answered methods go first, those that fail
	// while the clock is not set go last among them, and the likeliest refusal goes last
	// of all.
	rank, firstRank int
	// needed reports whether the result is needed, if the members above allow the
	// method. Nil means that it is.
	needed func(d *Dialect, u *unit, got *replies) bool
	// pages returns the index at which the next page begins, the number of entries so
	// far, and the number of all entries. Nil means that the method has no pages.
	pages func(got *replies) (start, have, all int)
	// file takes the result. clear forgets the last one: after a refusal and, for a
	// method that is asked once per login, at a login. It may be nil.
	file  func(u *unit, got *replies, res *result)
	clear func(u *unit)
	// lacking reports that the result is empty. The method is then not asked for a day.
	// It may be nil.
	lacking func(u *unit) bool

	index int // in methods
}

var (
	getDeviceInfo = &method{
		name: "get_device_info", describes: true, rank: 1, firstRank: 1,
		file: func(_ *unit, got *replies, res *result) { got.info = res.deviceInfo },
	}
	componentNego = &method{
		name: "component_nego", describes: true, rank: 2, firstRank: 2,
		needed:  func(_ *Dialect, u *unit, _ *replies) bool { return u.components == nil },
		file:    func(u *unit, _ *replies, res *result) { u.components = res.ComponentList.versions() },
		lacking: func(u *unit) bool { return u.components == nil },
	}
	getChildDeviceList = &method{
		name: "get_child_device_list", describes: true, rank: 3, firstRank: 3,
		needed: func(d *Dialect, _ *unit, got *replies) bool { return d.mayBeStrip(got) },
		pages:  func(got *replies) (start, have, all int) { return got.received, len(got.children), got.numChildren },
		file:   func(_ *unit, got *replies, res *result) { got.addChildren(res) },
	}
	getChildComponentList = &method{
		name: "get_child_device_component_list", describes: true, rank: 4, firstRank: 4,
		needed: func(d *Dialect, _ *unit, got *replies) bool { return d.mayBeStrip(got) && d.profile.children == nil },
		pages: func(got *replies) (start, have, all int) {
			return got.gotComponents, got.gotComponents, got.numComponents
		},
		file: func(_ *unit, got *replies, res *result) { got.addChildComponents(res) },
	}
	getEnergyUsage = &method{
		name: "get_energy_usage", component: "energy_monitoring", version: 1, ofOutlets: true, rank: 8, firstRank: 5,
		file: func(u *unit, got *replies, res *result) {
			got.energy, u.powerInEnergy = res.energyUsage, res.CurrentPower.Valid
		},
		clear: func(u *unit) { u.powerInEnergy = false },
	}
	getProtectionPower = &method{
		name: "get_protection_power", component: "power_protection", version: 1, ofOutlets: true, oncePerLogin: true, rank: 5, firstRank: 6,
		file:  func(u *unit, _ *replies, res *result) { u.protection = res.protectionPower },
		clear: func(u *unit) { u.protection = protectionPower{} },
	}
	getCurrentPower = &method{ // the coarsest of three sources of power
		name: "get_current_power", component: "energy_monitoring", version: 1, ofOutlets: true, rank: 6, firstRank: 7,
		needed: func(d *Dialect, u *unit, got *replies) bool { return !u.powerInEnergy && !d.mayGiveEmeterData(u, got) },
		file:   func(_ *unit, got *replies, res *result) { got.power = res.CurrentPower },
	}
	getEmeterData = &method{
		name: "get_emeter_data", component: "energy_monitoring", version: 2, ofOutlets: true, rank: 7, firstRank: 8,
		file: func(_ *unit, got *replies, res *result) { got.emeter = res.emeterData },
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

const (
	// refusalLife is the time without a method that the unit does not have.
	refusalLife = 24 * time.Hour
	// unavailableLife is the time without a method that the unit has but refuses.
	unavailableLife = 10 * time.Minute
)

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
		if u.of(m).answered && d.wants(u, m, got) {
			missing = append(missing, m)
		}
	}
	settled := len(missing)
	for _, m := range byFirstRank {
		if !u.of(m).answered && d.wants(u, m, got) {
			missing = append(missing, m)
		}
	}
	if u.isChild() { // a method that other children refuse is the likeliest refusal
		slices.SortStableFunc(missing[settled:], func(a, b *method) int { return order(d.anyChildRefuses(a)) - order(d.anyChildRefuses(b)) })
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
	case got.of(m).state != unasked, got.describing && !m.describes, m.oncePerLogin && u.of(m).done:
		return false
	case m == getDeviceInfo && !u.isChild(), m == getChildDeviceList && len(d.profile.children) > 0: // a read needs these
	case d.refuses(u, m):
		return false
	}
	if !m.ofOutlets && u.isChild() || m.ofOutlets && !u.isChild() && d.profile.isStrip() {
		return false
	}
	return (m.component == "" || u.has(m.component, m.version)) && (m.needed == nil || m.needed(d, u, got))
}

// mayBeStrip reports whether the plug may list children. If its components are not known
// yet, the list waits until component_nego is answered or refused; but a description asks
// for both in one exchange.
func (d *Dialect) mayBeStrip(got *replies) bool {
	u := &d.profile.plug
	if u.components == nil && got.of(componentNego).state != refused && !d.refuses(u, componentNego) {
		return got.describing
	}
	return !d.profile.hub && u.has("child_device", 1)
}

// mayGiveEmeterData reports whether get_emeter_data may give the power, which is finer than
// that of get_current_power.
func (d *Dialect) mayGiveEmeterData(u *unit, got *replies) bool {
	switch state := got.of(getEmeterData).state; {
	case state != unasked:
		return state == answered
	case u.isChild() && !u.of(getEmeterData).answered && d.anyChildRefuses(getEmeterData):
		return false
	}
	return u.has(getEmeterData.component, getEmeterData.version) && !d.refuses(u, getEmeterData)
}

func (d *Dialect) refuses(u *unit, m *method) bool { return d.opts.Now().Before(u.of(m).refusedUntil) }

func (d *Dialect) anyChildRefuses(m *method) bool {
	for _, c := range d.profile.children {
		if d.refuses(c, m) {
			return true
		}
	}
	return false
}
