// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

// knownPlug is a plug that is listed by its MAC address, or that was read with
// discovery's account. Locator.mu guards it.
type knownPlug struct {
	mac        string
	repliedAt  time.Time // the last time
	candidates map[string]*candidate
	address    string // of the candidate in use, "" before the first reply

	defaultName  string // used until its name is known, "" before it is needed
	name         string // from the last read, "" before the first
	previousName string

	account        string    // the username with which it was read, "" before the first read that proves it
	notFound       bool      // a probe has waited for its reply in vain
	noSearchBefore time.Time // it replies from where it cannot be read
}

// addPlug adds a plug. l.mu is held.
func (l *Locator) addPlug(mac string) *knownPlug {
	p := &knownPlug{mac: mac, candidates: map[string]*candidate{}}
	l.plugs[mac] = p
	return p
}

// plug returns the plug with a MAC, nil if it is neither listed nor was read. l.mu is
// held.
func (l *Locator) plug(c *config.Config, mac string) *knownPlug {
	p := l.plugs[mac]
	if _, listed := c.TargetOf(mac); p == nil && listed {
		p = l.addPlug(mac)
	}
	return p
}

// IsKnown reports whether a plug is listed by its MAC address, or was read with
// discovery's account. Other MAC addresses may be inventions.
func (l *Locator) IsKnown(mac string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, listed := l.opts.Store.Current().TargetOf(mac)
	return listed || l.plugs[mac] != nil
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

// recordSuccess keeps that a target's plug was read: it is at that address.
func (p *knownPlug) recordSuccess(t config.Target, reading tapo.Reading) {
	p.recordName(reading.Info.Name)
	p.notFound, p.noSearchBefore = false, time.Time{}
	if provesAccount(reading.Protocol) {
		p.account = t.Credentials.Username
	}
	if c := p.candidates[t.Address]; c != nil {
		c.failedAt = time.Time{}
	}
}

// recordName keeps the name that a read has given.
func (p *knownPlug) recordName(name string) {
	if name != p.name {
		p.previousName, p.name = p.name, name
	}
}
