// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"net/netip"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

// Two addresses may reply for one MAC address: the plug has moved, or somebody
// claims to be it. One candidate is in use at a time. It is kept while it replies
// and can be read.

// maxCandidates is how many addresses of one plug are remembered.
const maxCandidates = 4

// candidate is an address from which a plug, or something that claims to be it,
// has replied.
type candidate struct {
	advertised discovery.Device // the last reply
	repliedAt  time.Time        // the last time
	failedAt   time.Time        // when it could last not be read there; zero after a success
}

// use makes another candidate the one in use.
func (p *knownPlug) use(address string) {
	p.address, p.noSearchBefore = address, time.Time{}
}

// recordReply keeps a reply. Its address is used at once if the plug could not be
// read at the address in use, unless the plug could later not be read there either.
func (p *knownPlug) recordReply(d discovery.Device, now time.Time) {
	address := d.Address.String()
	if p.candidates[address] == nil {
		p.makeRoom(d.Address.Addr())
		p.candidates[address] = &candidate{}
	}
	other, current := p.candidates[address], p.candidates[p.address]
	other.advertised, other.repliedAt, p.repliedAt = d, now, now
	if p.address == "" || current == nil || p.failedAtAddress() && p.prefers(other, current) {
		p.use(address)
	}
}

// prefers reports whether a candidate that has just replied is better than the one
// in use, at which the plug could not be read: a read has never failed there, or it
// has failed earlier and the one in use is silent.
func (p *knownPlug) prefers(other, current *candidate) bool {
	return other.failedAt.IsZero() || !p.repliedSinceFailure() && other.failedAt.Before(current.failedAt)
}

// leaveSilentAddress uses another candidate after a search to which the one in
// use has not replied, or at which the plug could not be read. Of those that have
// replied it takes the one at which a read has never failed, or failed first.
func (p *knownPlug) leaveSilentAddress(searchStarted time.Time) {
	if current := p.candidates[p.address]; current != nil && !current.repliedAt.Before(searchStarted) && current.failedAt.IsZero() {
		return
	}
	best := p.address
	for address, c := range p.candidates {
		if c.repliedAt.Before(searchStarted) {
			continue
		}
		if b := p.candidates[best]; b == nil || b.repliedAt.Before(searchStarted) || c.failedAt.Before(b.failedAt) {
			best = address
		}
	}
	if best != p.address {
		p.use(best)
	}
}

// makeRoom makes room for a candidate at a host: one host has one candidate, and
// one plug has few. The candidate in use stays.
func (p *knownPlug) makeRoom(host netip.Addr) {
	oldest := ""
	for address, c := range p.candidates {
		switch {
		case address == p.address:
		case c.advertised.Address.Addr() == host:
			delete(p.candidates, address)
		case oldest == "" || c.repliedAt.Before(p.candidates[oldest].repliedAt):
			oldest = address
		}
	}
	if len(p.candidates) >= maxCandidates {
		delete(p.candidates, oldest)
	}
}

// failedAtAddress reports whether the last read at the address in use has failed.
func (p *knownPlug) failedAtAddress() bool {
	c := p.candidates[p.address]
	return c != nil && !c.failedAt.IsZero()
}

// repliedSinceFailure reports whether the address in use has replied since the
// plug could not be read there.
func (p *knownPlug) repliedSinceFailure() bool {
	c := p.candidates[p.address]
	return c != nil && c.repliedAt.After(c.failedAt)
}
