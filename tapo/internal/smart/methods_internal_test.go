// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// TestMissing has the order in which a plug, or a child of a strip, is asked. What
// it has answered before comes first, and the likeliest refusal last.
func TestMissing(t *testing.T) {
	now := time.Date(2026, 7, 4, 10, 0, 0, 0, time.UTC)
	meter := map[string]int{"energy_monitoring": 2, "power_protection": 1}
	for _, tc := range []struct {
		name    string
		dialect func(d *Dialect) (*unit, *replies) // that knows as much; the unit is asked
		want    []*method
	}{
		{
			"nothing is known",
			func(d *Dialect) (*unit, *replies) { return &d.profile.plug, newReplies() },
			[]*method{getDeviceInfo, componentNego, getEnergyUsage, getProtectionPower, getEmeterData},
		},
		{
			"all is answered before",
			func(d *Dialect) (*unit, *replies) {
				return answering(&d.profile.plug, meter, getDeviceInfo, componentNego, getEnergyUsage, getEmeterData), newReplies()
			},
			[]*method{getDeviceInfo, getEmeterData, getEnergyUsage, getProtectionPower},
		},
		{
			"the limit, answered at this login",
			func(d *Dialect) (*unit, *replies) {
				u := answering(&d.profile.plug, meter, getDeviceInfo, getEnergyUsage, getEmeterData, getProtectionPower)
				u.record(getProtectionPower).filed = now
				return u, newReplies()
			},
			[]*method{getDeviceInfo, getEmeterData, getEnergyUsage},
		},
		{
			"another login",
			func(d *Dialect) (*unit, *replies) {
				u := answering(&d.profile.plug, meter, getDeviceInfo, getEnergyUsage, getEmeterData, getProtectionPower)
				u.record(getProtectionPower).filed = now
				d.profile.loggedIn()
				return u, newReplies()
			},
			[]*method{getDeviceInfo, getProtectionPower, getEmeterData, getEnergyUsage},
		},
		{
			"no meter",
			func(d *Dialect) (*unit, *replies) {
				return answering(&d.profile.plug, map[string]int{}, getDeviceInfo), newReplies()
			},
			[]*method{getDeviceInfo},
		},
		{
			"a meter without get_emeter_data",
			func(d *Dialect) (*unit, *replies) {
				return answering(&d.profile.plug, map[string]int{"energy_monitoring": 1}, getDeviceInfo, getEnergyUsage), newReplies()
			},
			[]*method{getDeviceInfo, getEnergyUsage, getCurrentPower},
		},
		{
			"its energy has the power",
			func(d *Dialect) (*unit, *replies) {
				u := answering(&d.profile.plug, map[string]int{"energy_monitoring": 1}, getDeviceInfo, getEnergyUsage)
				u.powerInEnergy = true
				return u, newReplies()
			},
			[]*method{getDeviceInfo, getEnergyUsage},
		},
		{
			"get_emeter_data refused for now",
			func(d *Dialect) (*unit, *replies) {
				u := answering(&d.profile.plug, meter, getDeviceInfo, getEnergyUsage, getCurrentPower)
				u.record(getEmeterData).restsUntil = now.Add(time.Second)
				return u, newReplies()
			},
			[]*method{getDeviceInfo, getCurrentPower, getEnergyUsage, getProtectionPower},
		},
		{
			"get_emeter_data no longer refused",
			func(d *Dialect) (*unit, *replies) {
				u := answering(&d.profile.plug, meter, getDeviceInfo, getEnergyUsage, getCurrentPower)
				u.record(getEmeterData).restsUntil = now
				return u, newReplies()
			},
			[]*method{getDeviceInfo, getEnergyUsage, getProtectionPower, getEmeterData},
		},
		{
			"get_device_info is asked even if refused",
			func(d *Dialect) (*unit, *replies) {
				u := answering(&d.profile.plug, map[string]int{})
				u.record(getDeviceInfo).restsUntil = now.Add(time.Hour)
				return u, newReplies()
			},
			[]*method{getDeviceInfo},
		},
		{
			"the end of a read",
			func(d *Dialect) (*unit, *replies) {
				got := newReplies()
				got.answer(getDeviceInfo)
				got.fail(getEmeterData, errors.New("refused"))
				return answering(&d.profile.plug, meter, getDeviceInfo, getEnergyUsage), got
			},
			[]*method{getEnergyUsage, getProtectionPower, getCurrentPower},
		},
		{
			"only what it is",
			func(d *Dialect) (*unit, *replies) {
				got := newReplies()
				got.describing = true
				return &d.profile.plug, got
			},
			[]*method{getDeviceInfo, componentNego, getChildDeviceList, getChildComponentList},
		},
		{
			"a strip, before its children are known",
			func(d *Dialect) (*unit, *replies) {
				return answering(&d.profile.plug, map[string]int{"child_device": 2}, getDeviceInfo), newReplies()
			},
			[]*method{getDeviceInfo, getChildDeviceList, getChildComponentList},
		},
		{
			"a strip, after that",
			func(d *Dialect) (*unit, *replies) {
				d.profile.children = map[string]*unit{"a": {id: "a"}}
				return answering(&d.profile.plug, map[string]int{"child_device": 2}, getDeviceInfo, getChildDeviceList, getChildComponentList), newReplies()
			},
			[]*method{getDeviceInfo, getChildDeviceList},
		},
		{
			"a child",
			func(d *Dialect) (*unit, *replies) {
				return &unit{id: "a", components: meter}, newReplies()
			},
			[]*method{getEnergyUsage, getProtectionPower, getEmeterData},
		},
		{
			"a child, what another one refuses",
			func(d *Dialect) (*unit, *replies) {
				refusing := &unit{id: "b"}
				refusing.record(getEnergyUsage).restsUntil = now.Add(time.Hour)
				d.profile.children = map[string]*unit{"b": refusing}
				return &unit{id: "a", components: meter}, newReplies()
			},
			[]*method{getProtectionPower, getEmeterData, getEnergyUsage},
		},
		{
			"a child, get_emeter_data refused by another one",
			func(d *Dialect) (*unit, *replies) {
				refusing := &unit{id: "b"}
				refusing.record(getEmeterData).restsUntil = now.Add(time.Hour)
				d.profile.children = map[string]*unit{"b": refusing}
				return &unit{id: "a", components: meter}, newReplies()
			},
			[]*method{getEnergyUsage, getProtectionPower, getCurrentPower, getEmeterData},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDialect()
			d.opts.Now = func() time.Time { return now }
			u, got := tc.dialect(d)
			if missing := d.missing(u, got); !slices.Equal(missing, tc.want) {
				t.Errorf("%v, want %v", names(missing), names(tc.want))
			}
		})
	}
}

// answering returns a unit that has components, and has answered methods before.
func answering(u *unit, components map[string]int, answered ...*method) *unit {
	u.components = components
	for _, m := range answered {
		u.record(m).answered = true
	}
	return u
}

func names(all []*method) []string {
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.name
	}
	return names
}
