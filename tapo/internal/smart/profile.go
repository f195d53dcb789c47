// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"strings"
	"time"
)

// profile has what the replies have shown of a plug. It is valid for one device with one
// firmware.
type profile struct {
	deviceID string // "" before the first read
	firmware string
	hub      bool // its children are not outlets
	plug     unit
	children map[string]*unit // of a strip, by device_id
	zone     zone

	clockRead   bool // local_time has been read, or cannot be
	clockBehind time.Duration
}

// unit executes methods: the plug itself, or a child of a strip. It has what its replies
// have shown.
type unit struct {
	id     string // a child's device_id, "" for the plug itself
	number int    // a child's outlet

	components    map[string]int  // id to version; nil while unknown
	methods       []methodHistory // by method.index; nil before the first reply
	powerInEnergy bool            // get_energy_usage has the power: get_current_power is not needed
	protection    protectionPower

	noBatch      bool      // it refuses batches
	noBatchUntil time.Time // it refuses batches for a while
	tookBatch    bool      // it has answered a batch
}

// methodHistory has the past replies of a unit to a method.
type methodHistory struct {
	answered     bool // before, and not refused since
	done         bool // answered or refused since the login
	refusedUntil time.Time
}

// of returns the history of m.
func (u *unit) of(m *method) methodHistory {
	if u.methods == nil {
		return methodHistory{}
	}
	return u.methods[m.index]
}

// record returns the history of m for changes.
func (u *unit) record(m *method) *methodHistory {
	if u.methods == nil {
		u.methods = make([]methodHistory, len(methods))
	}
	return &u.methods[m.index]
}

func (u *unit) isChild() bool { return u.id != "" }

// has reports whether the unit may have a component in a version or later. If its list is
// not known, it may have any.
func (u *unit) has(component string, version int) bool {
	return u.components == nil || u.components[component] >= version
}

// isStrip reports whether the plug has children that are outlets. The power that such a
// plug reports for itself is that of one of them at most (P316M in python-kasa's
// recordings, tests/fixtures/smart).
func (p *profile) isStrip() bool {
	return !p.hub && (p.plug.components["child_device"] > 0 || len(p.children) > 0)
}

// loggedIn makes the next read ask again for what is asked once per login.
func (p *profile) loggedIn() {
	p.plug.loggedIn()
	for _, c := range p.children {
		c.loggedIn()
	}
}

func (u *unit) loggedIn() {
	for _, m := range methods {
		if m.oncePerLogin && u.of(m).done {
			u.record(m).done = false
			m.clear(u)
		}
	}
}

// takesBatch reports whether a unit may be asked for several methods at once. A child that
// has had no batch yet is treated like the other children.
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
	return refused < 2 // one refusal may be an exception
}

// isAnother reports whether the replies come from another plug, or from other firmware,
// than the profile. If so, it starts a new profile.
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

// afresh returns a unit with what the replies of this read have shown, and nothing older.
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

// hangsOnBatches reports whether a plug has the firmware that answers one batch and hangs on
// the next (python-kasa/python-kasa#1759).
func hangsOnBatches(info *deviceInfo) bool {
	version, _, _ := strings.Cut(string(info.Firmware), " ")
	return info.Model == "P300" && version == "1.0.7"
}
