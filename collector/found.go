// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"net/netip"
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

// found is a plug that has replied.
type found struct {
	mac    string
	first  time.Time
	seen   time.Time // the last reply
	places map[string]*place
	at     string // the address in use, "" before the first reply
	steady string // what it is called until its name is known, "" before that is needed
	name   string // from the last read, "" before one
	before string // the name before that

	tried  bool      // somebody has read it, or tried to
	read   bool      // that has succeeded, with the account
	missed bool      // a probe has waited for it in vain
	proven bool      // it was read at the address in use
	quiet  time.Time // it cannot be read where it says that it is: no search before that
}

// place is an address from which a plug, or something that claims to be it, has
// replied.
type place struct {
	device       discovery.Device // the last reply
	seen, failed time.Time
}

// device is what was said at the address in use.
func (p *found) device() discovery.Device {
	if here := p.places[p.at]; here != nil {
		return here.device
	}
	return discovery.Device{}
}

// move uses another address.
func (p *found) move(at string) { p.at, p.proven, p.quiet = at, false, time.Time{} }

// reply notes a reply. One from elsewhere counts at once where the plug could not
// be read at the address in use, unless it could not be read there later still.
func (p *found) reply(d discovery.Device, now time.Time) {
	at := d.Address.String()
	if p.places[at] == nil {
		p.makeRoom(d.Address.Addr())
		p.places[at] = &place{}
	}
	other, here := p.places[at], p.places[p.at]
	other.device, other.seen, p.seen = d, now, now
	switch {
	case p.at == "", here == nil:
		p.move(at)
	case !p.proven && p.lost() && (other.failed.IsZero() || !p.insists() && other.failed.Before(here.failed)):
		p.move(at)
	}
}

// settle leaves an address from which the plug has not replied in the search
// just ended, while it has from another.
func (p *found) settle(started time.Time) {
	if here := p.places[p.at]; here != nil && !here.seen.Before(started) && here.failed.IsZero() {
		return
	}
	best := p.at
	for at, candidate := range p.places {
		if candidate.seen.Before(started) {
			continue
		}
		if here := p.places[best]; here == nil || here.seen.Before(started) || candidate.failed.Before(here.failed) {
			best = at
		}
	}
	if best != p.at {
		p.move(best)
	}
}

// makeRoom makes room for another address: a host has one port, and a plug few
// hosts that claim to be it.
func (p *found) makeRoom(host netip.Addr) {
	oldest := ""
	for at, here := range p.places {
		switch {
		case at == p.at:
		case here.device.Address.Addr() == host:
			delete(p.places, at)
		case oldest == "" || here.seen.Before(p.places[oldest].seen):
			oldest = at
		}
	}
	if len(p.places) >= maxPlaces {
		delete(p.places, oldest)
	}
}

// mayBelongTo reports whether the plug may belong to an account: it has been read
// with it, or does not say otherwise, wherever it has replied from.
func (p *found) mayBelongTo(username string) bool {
	if p.read || p.device().MayBelongTo(username) {
		return true
	}
	for at, other := range p.places {
		if other.device.MayBelongTo(username) {
			p.move(at)
			return true
		}
	}
	return false
}

// call chooses what the plug is called until its name is known, and for good:
// another name only where that one is taken.
func (p *found) call(taken func(string) bool) string {
	short := p.device().Name()
	long := short + "-" + strings.ToLower(strings.ReplaceAll(p.mac[:8], "-", "")) // it may be another maker's
	if p.steady == "" {
		if p.steady = short; taken(short) {
			p.steady = long
		}
	}
	return p.steady
}

// lost reports whether the plug was not where it was last. f.mu is held.
func (p *found) lost() bool {
	here := p.places[p.at]
	return here != nil && !here.failed.IsZero()
}

// insists reports whether the plug, or what claims to be it, has replied from the
// address in use since it could not be read there. f.mu is held.
func (p *found) insists() bool {
	here := p.places[p.at]
	return here != nil && here.seen.After(here.failed)
}

// rename notes the name that a read has given.
func (p *found) rename(name string) {
	if name != p.name {
		p.before, p.name = p.name, name
	}
}
