// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// Targets returns those of the configuration and then those that discovery adds,
// sorted by name.
func (l *Locator) Targets() []config.Target {
	c := l.opts.Store.Current()
	var added []config.Target
	for _, t := range l.discovered(c) {
		added = append(added, t.Target)
	}
	slices.SortFunc(added, func(a, b config.Target) int { return strings.Compare(a.Name, b.Name) })
	return append(slices.Clone(c.Targets), added...)
}

// FindTarget returns a target by its name or address: a listed one, or else one
// that discovery adds. The latter are found by their former names as well, and so is
// a discovered plug that could not be read yet, by its first name. A target that is
// found by the address of its plug has that address, so that it is read there and
// nowhere else.
func (l *Locator) FindTarget(c *config.Config, name string) (config.Target, bool) {
	if t, ok := c.Target(name); ok {
		return t, true
	}
	asked, isAddress := parseAsked(name)
	if isAddress {
		if t, ok := l.listedAt(c, asked); ok {
			return t, true
		}
	}
	added := l.discovered(c)
	for _, t := range added {
		if t.Name == name {
			return t.Target, true
		}
	}
	for _, t := range added {
		switch {
		case name != "" && slices.Contains(t.formerNames, name):
			return t.Target, true
		case isAddress && asked.is(t.address):
			t.Address = t.address
			return t.Target, true
		}
	}
	return l.findUnread(c, func(its, address string) bool { return name == its || isAddress && asked.is(address) })
}

// listedAt returns the target that is listed by the MAC of the plug at an address,
// the first one in the configuration if there are several.
func (l *Locator) listedAt(c *config.Config, asked askedAddress) (config.Target, bool) {
	for t := range c.WithMAC() {
		if address := l.Address(t.MAC); asked.is(address) {
			t.Address, t.Located = address, true
			return t, true
		}
	}
	return config.Target{}, false
}

// discoveredTarget is a target that nobody has listed.
type discoveredTarget struct {
	config.Target        // without the address, which may change
	address       string // of its plug
	formerNames   []string
}

// discovered returns the targets that discovery adds: plugs that are not listed
// and were read with discovery's account.
func (l *Locator) discovered(c *config.Config) []discoveredTarget {
	account, enabled := discoveryAccount(c)
	if !enabled {
		return nil
	}
	listed := l.listed(c)
	l.mu.Lock()
	defer l.mu.Unlock()
	var shown []*knownPlug
	uses := map[string]int{} // of names
	for mac, p := range l.plugs {
		if p.address != "" && p.account == account.Username && !listed(mac, p.address) {
			shown = append(shown, p)
			uses[p.name]++
			uses[p.defaultName]++
		}
	}
	slices.SortFunc(shown, func(a, b *knownPlug) int { return strings.Compare(a.mac, b.mac) })
	inConfig := func(name string) bool {
		_, ok := c.Target(name)
		return ok
	}
	var all []discoveredTarget
	for _, p := range shown {
		name := p.chooseDefaultName(func(name string) bool { return inConfig(name) || uses[name] > 0 })
		uses[name]++
		t := discoveredTarget{
			Target:  config.Target{Name: name, MAC: p.mac, Auth: c.Discovery.Auth, Credentials: account, Unlisted: true},
			address: p.address, formerNames: []string{name, p.previousName},
		}
		switch {
		case !inConfig(p.name) && uses[p.name] == 1 && isName(p.name):
			t.Name = p.name
		case inConfig(name): // the configuration has been given it since it was chosen
			t.Name += " " + p.mac
		}
		all = append(all, t)
	}
	return all
}

// listed returns a function that reports whether the plug with a MAC, at an
// address, is a target of the configuration.
func (l *Locator) listed(c *config.Config) func(mac, address string) bool {
	readMACs := sync.OnceValue(func() map[string]bool { // of plugs that are listed under the names of hosts
		macs := map[string]bool{}
		for _, t := range c.Targets {
			if mac := tapo.ParseMAC(l.opts.ReadMAC(t)); t.MAC == "" && mac != "" {
				macs[mac] = true
			}
		}
		return macs
	})
	return func(mac, address string) bool {
		_, byMAC := c.TargetOf(mac)
		_, byAddress := c.TargetAt(address)
		return byMAC || byAddress || readMACs()[mac]
	}
}

// listedNow is listed as it was when the search under way began, so that it need not
// be made for each reply. l.mu is held.
func (l *Locator) listedNow(c *config.Config) func(mac, address string) bool {
	if l.search != nil {
		return l.search.listed
	}
	return l.listed(c)
}

// isName reports whether a plug's name in the app can be that of a target:
// nothing that may be taken for an address, and no characters that a reading replaces.
func isName(name string) bool {
	if name == "" || len(name) > 100 || strings.ContainsRune(name, utf8.RuneError) || tapo.ParseMAC(name) != "" {
		return false
	}
	_, notAnAddress := netip.ParseAddr(name)
	_, notWithPort := netip.ParseAddrPort(name)
	return notAnAddress != nil && notWithPort != nil
}

// askedAddress is the address of a plug that a probe asks for. An IP address
// without a port stands for whichever port the plug has.
type askedAddress struct {
	addr    netip.AddrPort
	anyPort bool
}

// parseAsked reports whether a text may be the address of a known plug: the names
// of hosts are not.
func parseAsked(text string) (asked askedAddress, ok bool) {
	parsed, err := tapo.ParseAddress(text)
	if err != nil {
		return asked, false
	}
	asked.addr, err = netip.ParseAddrPort(parsed)
	_, notAnIP := netip.ParseAddr(text)
	asked.anyPort = notAnIP == nil
	return asked, err == nil
}

// is reports whether the address of a plug, "" if that is not known, is the one
// that is asked for.
func (a askedAddress) is(address string) bool {
	addr, err := netip.ParseAddrPort(address)
	return err == nil && (addr == a.addr || a.anyPort && addr.Addr() == a.addr.Addr())
}
