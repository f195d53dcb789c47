// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"strings"
	"time"
)

// profile is what the replies have shown of a plug. It holds for one device with
// one firmware.
type profile struct {
	deviceID string // "" before the first read
	firmware string
	hub      bool // what it lists as children are no outlets
	plug     unit
	children map[string]*unit // of a strip, by device_id
	zone     zone

	clockRead   bool // the plug has told the time, or cannot
	clockBehind time.Duration
}

// unit is what answers methods: the plug itself, or a child of a strip. It holds
// what its replies have shown.
type unit struct {
	id     string // a child's device_id, "" for the plug itself
	number int    // a child's outlet

	components    map[string]int  // id to version; nil while unknown
	methods       []methodHistory // by method.index; nil before the first reply
	powerInEnergy bool            // get_energy_usage gives the power, so that get_current_power is of no use
	protection    protectionPower

	noBatch      bool      // it takes none
	noBatchUntil time.Time // it took none just now
	tookBatch    bool
}

// methodHistory is how a unit has answered a method.
type methodHistory struct {
	answered     bool // at some time
	done         bool // answered or refused since the login
	refusedUntil time.Time
}

// of returns how the unit has answered m.
func (u *unit) of(m *method) methodHistory {
	if u.methods == nil {
		return methodHistory{}
	}
	return u.methods[m.index]
}

// record returns how the unit has answered m, to be changed.
func (u *unit) record(m *method) *methodHistory {
	if u.methods == nil {
		u.methods = make([]methodHistory, len(methods))
	}
	return &u.methods[m.index]
}

func (u *unit) isChild() bool { return u.id != "" }

// has reports whether the unit may have a component in a version or later; an
// unknown list may have anything.
func (u *unit) has(component string, version int) bool {
	return u.components == nil || u.components[component] >= version
}

// isStrip reports whether the plug is known to have children that are outlets.
// What it says of its own power is of one of them, or of none.
func (p *profile) isStrip() bool {
	return !p.hub && (p.plug.components["child_device"] > 0 || len(p.children) > 0)
}

// loggedIn forgets what is asked once per login.
func (p *profile) loggedIn() {
	p.plug.loggedIn()
	for _, c := range p.children {
		c.loggedIn()
	}
}

func (u *unit) loggedIn() {
	for i := range u.methods {
		u.methods[i].done = false
	}
}

// takesBatch reports whether a unit may be asked for several methods at once. A
// child of which that is not known is like those of which it is.
func (p *profile) takesBatch(u *unit, now time.Time) bool {
	if u.noBatch || now.Before(u.noBatchUntil) {
		return false
	}
	if !u.isChild() || u.tookBatch {
		return true
	}
	refused := 0
	for _, c := range p.children {
		if c.tookBatch {
			return true
		}
		if c.noBatch {
			refused++
		}
	}
	return refused < 2 // one may be odd
}

// isAnother reports whether the replies are the first of another plug, or of
// other firmware, than what the profile is about; which is forgotten then.
func (d *Dialect) isAnother(got *replies) bool {
	p := &d.profile
	id, firmware := string(got.info.DeviceID), string(got.info.Firmware)
	if got.of(getDeviceInfo).state != answered || p.deviceID == id && p.firmware == firmware {
		return false
	}
	another := p.deviceID+p.firmware != ""
	if another {
		*p = profile{plug: p.plug.afresh(got)}
		d.batches = batchHealth{}
	}
	p.deviceID, p.firmware = id, firmware
	p.hub = strings.Contains(string(got.info.Type), "HUB")
	p.plug.noBatch = p.plug.noBatch || hangsOnBatches(&got.info)
	return another
}

// afresh returns what the replies at hand have shown, and nothing older.
func (u *unit) afresh(got *replies) unit {
	fresh := unit{}
	for _, m := range methods {
		if got.of(m).state == answered {
			*fresh.record(m) = methodHistory{answered: true, done: true}
		}
	}
	if fresh.of(componentNego).answered {
		fresh.components = u.components
	}
	if fresh.of(getEnergyUsage).answered {
		fresh.powerInEnergy = u.powerInEnergy
	}
	if fresh.of(getProtectionPower).answered {
		fresh.protection = u.protection
	}
	return fresh
}

// hangsOnBatches reports whether a plug is of the firmware that answers one
// batch and then no other.
func hangsOnBatches(info *deviceInfo) bool {
	version, _, _ := strings.Cut(string(info.Firmware), " ")
	return info.Model == "P300" && version == "1.0.7"
}
