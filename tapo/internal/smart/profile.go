// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// profile has what the replies have shown of a plug. It is valid for one device with one
// firmware.
type profile struct {
	deviceID string // "" before the first read
	firmware string
	info     plug.Info // as said over this session
	hub      bool      // its children are not outlets
	plug     unit
	children map[string]*unit // of a strip, by device_id
	zone     zone

	clockRead   bool // local_time has been read, or cannot be
	clockBehind time.Duration
}

// unit executes methods: the plug itself, or a child of a strip. It has what its replies
// have shown.
type unit struct {
	id     string       // a child's device_id, "" for the plug itself
	number int          // a child's outlet
	name   lenient.Text // a child's nickname, base64

	components       map[string]int  // id to version; nil while unknown
	methods          []methodHistory // by method.index; nil before the first reply
	powerInEnergy    bool            // get_energy_usage has the power: get_current_power is not needed
	emeterLacksPower bool            // get_emeter_data does not have it
	protection       protectionPower
	batches          unitBatches
}

// methodHistory has the past replies of a unit to a method.
type methodHistory struct {
	answered   bool      // at any time
	failed     bool      // since then
	filed      time.Time // of the last reply since the login, zero if there is none
	restsUntil time.Time // not asked before, since it has failed
	alone      bool      // asked in a request of its own: it has failed, and may spoil a batch
}

// works reports whether the last reply was of use.
func (h methodHistory) works() bool { return h.answered && !h.failed }

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

// loggedIn makes the next read ask for everything again. What was said over the last
// session may be that of another plug.
func (p *profile) loggedIn() {
	p.info = plug.Info{}
	p.plug.record(getDeviceInfo).restsUntil = time.Time{}
	p.plug.loggedIn()
	for _, c := range p.children {
		c.loggedIn()
	}
}

func (u *unit) loggedIn() {
	for _, m := range methods {
		if m.every > 0 && !u.of(m).filed.IsZero() {
			u.record(m).filed = time.Time{}
			m.clear(u)
		}
	}
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
	p.plug.batches.never = p.plug.batches.never || hangsOnBatches(&got.info)
	return another
}

// afresh returns a unit with what the replies of this read have shown, and nothing older.
func (u *unit) afresh(got *replies) unit {
	fresh := unit{}
	for _, m := range methods {
		if got.of(m).state == answered {
			*fresh.record(m) = methodHistory{answered: true, filed: u.of(m).filed}
		}
	}
	if fresh.of(componentNego).answered {
		fresh.components = u.components
	}
	if fresh.of(getEnergyUsage).answered {
		fresh.powerInEnergy = u.powerInEnergy
	}
	if fresh.of(getEmeterData).answered {
		fresh.emeterLacksPower = u.emeterLacksPower
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
