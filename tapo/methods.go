// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"slices"
	"strings"
	"time"
)

// method is one of the plug's methods that a read uses.
type method int

const (
	getDeviceInfo method = iota
	componentNego
	getChildDeviceList
	getChildComponentList
	getProtectionPower
	getCurrentPower
	getEmeterData
	getEnergyUsage
	numMethods
)

var methodNames = [numMethods]string{
	"get_device_info", "component_nego", "get_child_device_list", "get_child_device_component_list",
	"get_protection_power", "get_current_power", "get_emeter_data", "get_energy_usage",
}

// A batch ends at the first refusal. So methods that the plug has answered
// before go first, among them last the one that fails while the clock is not
// set; those of which we do not know yet follow, the likeliest refusal last.
var (
	settledOrder = []method{
		getDeviceInfo, componentNego, getChildDeviceList, getChildComponentList,
		getProtectionPower, getCurrentPower, getEmeterData, getEnergyUsage,
	}
	untriedOrder = []method{
		getDeviceInfo, componentNego, getChildDeviceList, getChildComponentList,
		getEnergyUsage, getProtectionPower, getCurrentPower, getEmeterData,
	}
)

const (
	// refusalLife is how long a method is not asked again that is not known.
	refusalLife = 24 * time.Hour
	// unavailableLife is the same for one that is known but not available now.
	unavailableLife = 10 * time.Minute
)

// part is what answers methods: the plug itself, or a socket of a strip. It
// holds what the replies have told about it.
type part struct {
	id            string         // a socket's device_id, "" for the plug itself
	components    map[string]int // id to version; nil while unknown
	answered      [numMethods]bool
	refusedUntil  [numMethods]time.Time
	powerInEnergy bool             // get_energy_usage gives the power, so that get_current_power is of no use
	protection    *protectionPower // asked once per login; nil before that
	noBatch       bool             // it takes none
	noBatchTill   time.Time        // it took none just now
	tookBatch     bool
	number        int // of a socket
}

// has reports whether the part may have a component in a version or later; an
// unknown list may have anything.
func (p *part) has(component string, version int) bool {
	return p.components == nil || p.components[component] >= version
}

// learnt is what the replies have told about a plug. It holds for one device
// with one firmware.
type learnt struct {
	deviceID string // "" before the first read
	firmware string
	hub      bool // what it lists as children are no sockets
	plug     part
	sockets  map[string]*part // by device_id
	zone     zone

	clockRead   bool // the plug has told the time, or cannot
	clockBehind time.Duration

	hanging   bool      // a batch of this read got no answer
	hung      int       // how many reads in a row ended with a batch that got no answer
	doubt     bool      // so many that single requests are tried
	hangs     int       // how often that helped
	hangsTill time.Time // no batch before that
}

// isStrip reports whether the plug is known to have sockets. What it says of
// its own power is of one of them, or of none.
func (l *learnt) isStrip() bool {
	return !l.hub && (l.plug.components["child_device"] > 0 || len(l.sockets) > 0)
}

// takesBatch reports whether a part may be asked for several methods at once. A
// socket of which that is not known is like those of which it is.
func (l *learnt) takesBatch(p *part, now time.Time) bool {
	if p.noBatch || now.Before(p.noBatchTill) || l.doubt || now.Before(l.hangsTill) {
		return false
	}
	if p.id == "" || p.tookBatch {
		return true
	}
	refused := 0
	for _, s := range l.sockets {
		if s.tookBatch {
			return true
		}
		if s.noBatch {
			refused++
		}
	}
	return refused < 2 // one may be odd
}

// begin starts a read. Some plugs hang on batches: after two that got no answer,
// of which the second was given all the time there is, single requests are tried.
func (l *learnt) begin() { l.hanging, l.doubt = false, l.hung >= 2 }

// failed ends a read that has failed.
func (l *learnt) failed() {
	if l.hung++; !l.hanging {
		l.hung = 0
	}
}

// spoke notes that a single request was answered. If that was being tried, it is
// a while until the next batch, and a day if that hangs as well.
func (l *learnt) spoke(now time.Time) {
	if !l.doubt {
		return
	}
	life := unavailableLife
	if l.hangs > 0 {
		life = refusalLife
	}
	l.doubt, l.hung, l.hangsTill = false, 1, now.Add(life)
	l.hangs++
}

// loggedIn forgets what is asked once per login.
func (l *learnt) loggedIn() {
	l.plug.protection = nil
	for _, s := range l.sockets {
		s.protection = nil
	}
}

// hangsOnBatches reports whether a plug is of the firmware that answers one
// batch and then no other.
func hangsOnBatches(info *deviceInfo) bool {
	version, _, _ := strings.Cut(string(info.Firmware), " ")
	return info.Model == "P300" && version == "1.0.7"
}

// missing returns the methods to ask a part that got does not have yet, in the
// order to ask them.
func (d *Device) missing(p *part, got *replies) []method {
	methods := make([]method, 0, numMethods)
	for _, m := range settledOrder {
		if p.answered[m] && d.wants(p, m, got) {
			methods = append(methods, m)
		}
	}
	settled := len(methods)
	for _, m := range untriedOrder {
		if !p.answered[m] && d.wants(p, m, got) {
			methods = append(methods, m)
		}
	}
	if p.id != "" { // what other sockets refuse is the likeliest refusal
		slices.SortStableFunc(methods[settled:], func(a, b method) int { return order(d.anySocketRefuses(a)) - order(d.anySocketRefuses(b)) })
	}
	return methods
}

func order(last bool) int {
	if last {
		return 1
	}
	return 0
}

// wants reports whether a method is worth asking.
func (d *Device) wants(p *part, m method, got *replies) bool {
	l := &d.learnt
	socket := p.id != ""
	switch {
	case got.state[m] != unasked, got.describing && m > getChildComponentList:
		return false
	case m == getDeviceInfo, m == getChildDeviceList && len(l.sockets) > 0: // without which there is nothing
	case d.refuses(p, m):
		return false
	}
	switch {
	case m <= getChildComponentList && socket, m > getChildComponentList && !socket && l.isStrip():
		return false
	}
	switch m {
	case componentNego:
		return p.components == nil
	case getChildDeviceList:
		return d.mayBeStrip(got)
	case getChildComponentList:
		return d.mayBeStrip(got) && l.sockets == nil
	case getProtectionPower:
		return p.protection == nil && p.has("power_protection", 1)
	case getEnergyUsage:
		return p.has("energy_monitoring", 1)
	case getEmeterData:
		return p.has("energy_monitoring", 2)
	case getCurrentPower: // the coarsest source of the three
		return p.has("energy_monitoring", 1) && !p.powerInEnergy && !d.mayGiveEmeterData(p, got)
	}
	return true
}

// mayBeStrip reports whether the plug lists sockets, as far as is known. One
// that does not tell its components is asked when that is known; or in the same
// exchange, where there is nothing else to ask.
func (d *Device) mayBeStrip(got *replies) bool {
	p := &d.learnt.plug
	if p.components == nil && got.state[componentNego] != refused && !d.refuses(p, componentNego) {
		return got.describing
	}
	return !d.learnt.hub && p.has("child_device", 1)
}

// mayGiveEmeterData reports whether there is a finer source of power than
// get_current_power.
func (d *Device) mayGiveEmeterData(p *part, got *replies) bool {
	switch {
	case got.state[getEmeterData] != unasked:
		return got.state[getEmeterData] == answered
	case p.id != "" && !p.answered[getEmeterData] && d.anySocketRefuses(getEmeterData):
		return false
	}
	return p.has("energy_monitoring", 2) && !d.refuses(p, getEmeterData)
}

func (d *Device) refuses(p *part, m method) bool { return d.cfg.Now().Before(p.refusedUntil[m]) }

func (d *Device) anySocketRefuses(m method) bool {
	for _, s := range d.learnt.sockets {
		if d.refuses(s, m) {
			return true
		}
	}
	return false
}
