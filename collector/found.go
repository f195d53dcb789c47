// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

// found is a plug that has replied.
type found struct {
	mac    string
	device discovery.Device // its last reply
	seen   time.Time
	at     string // the address in use, "" before the first reply
	places map[string]*place
	name   string // from the last read, "" before one
	before string // the name before that
	first  time.Time
	tried  bool      // somebody has read it, or tried to
	missed bool      // a probe has waited for it in vain, since it last replied
	proven bool      // it was read at the address in use
	quiet  time.Time // it cannot be read where it says that it is: no search before that
}

// place is where a plug, or something that claims to be it, has replied from.
type place struct {
	seen, failed time.Time
}

// move uses another address.
func (p *found) move(at string) { p.at, p.proven, p.quiet = at, false, time.Time{} }

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

// dropPlace makes room for another address.
func (p *found) dropPlace() {
	if len(p.places) < maxPlaces {
		return
	}
	oldest := ""
	for at, here := range p.places {
		if at != p.at && (oldest == "" || here.seen.Before(p.places[oldest].seen)) {
			oldest = at
		}
	}
	delete(p.places, oldest)
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
