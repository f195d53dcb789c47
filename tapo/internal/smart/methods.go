// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"cmp"
	"slices"
	"time"
)

// method is a row of the table of what a read asks for. A plug answers in the
// names of the row; the rest says when to ask, and what becomes of the answer.
type method struct {
	name string
	// component announces the method, from a version on; "" announces nothing.
	component string
	version   int
	// asked says what has to answer.
	asked asked
	// oncePerLogin is true of what does not change between logins.
	oncePerLogin bool
	// rank is the place in a batch among methods that have been answered before,
	// and firstRank that among the others. A batch ends at the first refusal: so
	// what is settled goes first, what fails while the clock is not set last among
	// that, and the likeliest refusal at the very end.
	rank, firstRank int
	// needed says whether the answer is wanted now, beyond the columns above. Nil
	// means that it is.
	needed func(d *Dialect, u *unit, got *replies) bool
	// pages returns where the next page begins, and how many entries are at hand of
	// how many. Nil is for a method that answers at once.
	pages func(got *replies) (start, have, all int)
	// file takes the result; refused is called instead of it after a refusal, and
	// may be nil.
	file    func(u *unit, got *replies, res *result)
	refused func(u *unit)
	// lacking reports that the unit has given nothing, in whatever words, so that it
	// is not asked again for a day. It may be nil.
	lacking func(u *unit) bool

	index int // in methods
}

// asked is what has to answer a method.
type asked int

const (
	whatItIs   asked = iota // the plug itself, also where nothing is to be measured
	plugItself              // the plug itself
	outlets                 // the children of a strip, or else the plug, which is its own outlet
)

var (
	getDeviceInfo = &method{
		name: "get_device_info", asked: whatItIs, rank: 1, firstRank: 1,
		file: func(_ *unit, got *replies, res *result) { got.info = res.deviceInfo },
	}
	componentNego = &method{
		name: "component_nego", asked: whatItIs, rank: 2, firstRank: 2,
		needed:  func(_ *Dialect, u *unit, _ *replies) bool { return u.components == nil },
		file:    func(u *unit, _ *replies, res *result) { u.components = res.ComponentList.versions() },
		lacking: func(u *unit) bool { return u.components == nil },
	}
	getChildDeviceList = &method{
		name: "get_child_device_list", asked: whatItIs, rank: 3, firstRank: 3,
		needed: func(d *Dialect, _ *unit, got *replies) bool { return d.mayBeStrip(got) },
		pages:  func(got *replies) (start, have, all int) { return got.received, len(got.children), got.numChildren },
		file:   func(_ *unit, got *replies, res *result) { got.addChildren(res) },
	}
	getChildComponentList = &method{
		name: "get_child_device_component_list", asked: whatItIs, rank: 4, firstRank: 4,
		needed: func(d *Dialect, _ *unit, got *replies) bool { return d.mayBeStrip(got) && d.profile.children == nil },
		pages: func(got *replies) (start, have, all int) {
			return got.gotComponents, got.gotComponents, got.numComponents
		},
		file: func(_ *unit, got *replies, res *result) { got.addChildComponents(res) },
	}
	getEnergyUsage = &method{
		name: "get_energy_usage", component: "energy_monitoring", version: 1, asked: outlets, rank: 8, firstRank: 5,
		file: func(u *unit, got *replies, res *result) {
			got.energy, u.powerInEnergy = res.energyUsage, res.CurrentPower.Valid
		},
		refused: func(u *unit) { u.powerInEnergy = false },
	}
	getProtectionPower = &method{
		name: "get_protection_power", component: "power_protection", version: 1, asked: outlets, oncePerLogin: true, rank: 5, firstRank: 6,
		file:    func(u *unit, _ *replies, res *result) { u.protection = res.protectionPower },
		refused: func(u *unit) { u.protection = protectionPower{} },
	}
	getCurrentPower = &method{ // the coarsest source of power of the three
		name: "get_current_power", component: "energy_monitoring", version: 1, asked: outlets, rank: 6, firstRank: 7,
		needed: func(d *Dialect, u *unit, got *replies) bool { return !u.powerInEnergy && !d.mayGiveEmeterData(u, got) },
		file:   func(_ *unit, got *replies, res *result) { got.power = res.CurrentPower },
	}
	getEmeterData = &method{
		name: "get_emeter_data", component: "energy_monitoring", version: 2, asked: outlets, rank: 7, firstRank: 8,
		file: func(_ *unit, got *replies, res *result) { got.emeter = res.emeterData },
	}
)

// methods is the table.
var methods = []*method{
	getDeviceInfo, componentNego, getChildDeviceList, getChildComponentList,
	getEnergyUsage, getProtectionPower, getCurrentPower, getEmeterData,
}

// The table in the order of a batch, for methods that have been answered before,
// and for others.
var byRank, byFirstRank []*method

func init() {
	for i, m := range methods {
		m.index = i
	}
	byRank = slices.SortedFunc(slices.Values(methods), func(a, b *method) int { return cmp.Compare(a.rank, b.rank) })
	byFirstRank = slices.SortedFunc(slices.Values(methods), func(a, b *method) int { return cmp.Compare(a.firstRank, b.firstRank) })
}

const (
	// refusalLife is how long a method is not asked again that is not known.
	refusalLife = 24 * time.Hour
	// unavailableLife is the same for one that is known but not available now.
	unavailableLife = 10 * time.Minute
)

// methodNamed returns the row of a name, nil if there is none.
func methodNamed(name string) *method {
	for _, m := range methods {
		if m.name == name {
			return m
		}
	}
	return nil
}

// missing returns the methods to ask a unit that got does not have yet, in the
// order to ask them.
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
	if u.isChild() { // what other children refuse is the likeliest refusal
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

// wants reports whether a method is worth asking.
func (d *Dialect) wants(u *unit, m *method, got *replies) bool {
	switch {
	case got.of(m).state != unasked, got.describing && m.asked != whatItIs, m.oncePerLogin && u.of(m).done:
		return false
	case m == getDeviceInfo && !u.isChild(), m == getChildDeviceList && len(d.profile.children) > 0: // without which there is nothing
	case d.refuses(u, m):
		return false
	}
	if m.asked != outlets && u.isChild() || m.asked == outlets && !u.isChild() && d.profile.isStrip() {
		return false
	}
	return (m.component == "" || u.has(m.component, m.version)) && (m.needed == nil || m.needed(d, u, got))
}

// mayBeStrip reports whether the plug lists children, as far as is known. One
// that does not tell its components is asked when that is known; or in the same
// exchange, where there is nothing else to ask.
func (d *Dialect) mayBeStrip(got *replies) bool {
	u := &d.profile.plug
	if u.components == nil && got.of(componentNego).state != refused && !d.refuses(u, componentNego) {
		return got.describing
	}
	return !d.profile.hub && u.has("child_device", 1)
}

// mayGiveEmeterData reports whether there is a finer source of power than
// get_current_power.
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
