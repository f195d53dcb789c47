// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

// knownPlug is a plug that has replied to a search, or that a probe has looked
// for. Locator.mu guards it.
type knownPlug struct {
	mac        string
	knownSince time.Time
	repliedAt  time.Time // the last time
	candidates map[string]*candidate
	address    string // of the candidate in use, "" before the first reply

	defaultName  string // used until its name is known, "" before it is needed
	name         string // from the last read, "" before the first
	previousName string

	tried          bool      // a read of it has ended, well or not
	everRead       bool      // it has been read, so that it takes the account
	notFound       bool      // a probe has waited for its reply in vain
	noSearchBefore time.Time // it replies from where it cannot be read
}

// plug returns the plug with a MAC, a new one if it has never replied. l.mu is
// held.
func (l *Locator) plug(mac string) *knownPlug {
	p := l.plugs[mac]
	if p == nil {
		p = &knownPlug{mac: mac, candidates: map[string]*candidate{}, knownSince: time.Now()}
		l.plugs[mac] = p
	}
	return p
}

// mayBelongTo reports whether the plug may belong to an account: it has been read
// with it, or one of its candidates is set up and does not say otherwise, which is used
// then.
func (p *knownPlug) mayBelongTo(username string) bool {
	if p.everRead || p.advertised().MayBelongTo(username) {
		return true
	}
	for address, c := range p.candidates {
		if c.advertised.MayBelongTo(username) {
			p.use(address)
			return true
		}
	}
	return false
}

// advertised is the last reply from the address in use.
func (p *knownPlug) advertised() discovery.Device {
	if c := p.candidates[p.address]; c != nil {
		return c.advertised
	}
	return discovery.Device{}
}

// chooseDefaultName returns what the plug is called until its name is known. The
// first choice is kept, so that the plug's series stay the same. A name that is
// taken gets the maker's half of the MAC address, which may differ, as a suffix.
func (p *knownPlug) chooseDefaultName(taken func(string) bool) string {
	if p.defaultName == "" {
		p.defaultName = p.advertised().Name()
		if taken(p.defaultName) {
			p.defaultName += "-" + strings.ToLower(strings.ReplaceAll(p.mac[:8], "-", ""))
		}
	}
	return p.defaultName
}

// recordName keeps the name that a read has given.
func (p *knownPlug) recordName(name string) {
	if name != p.name {
		p.previousName, p.name = p.name, name
	}
}
