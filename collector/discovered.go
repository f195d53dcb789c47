// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// targets returns those of the configuration and then those that discovery adds,
// sorted by name.
func (e *Exporter) targets() []config.Target {
	c := e.store.Current()
	var added []config.Target
	for _, t := range e.discovered(c) {
		added = append(added, t.Target)
	}
	slices.SortFunc(added, func(a, b config.Target) int { return strings.Compare(a.Name, b.Name) })
	return append(slices.Clone(c.Targets), added...)
}

// discoveredTarget is a target that nobody has listed.
type discoveredTarget struct {
	config.Target          // without the address, which may change
	at            string   // where it is now
	others        []string // names that it had before
	tried         bool     // it has been read, or somebody has tried to
	first         time.Time
}

// discovered returns the targets that discovery adds: plugs that are not listed,
// and that do not say that they belong to another account.
func (e *Exporter) discovered(c *config.Config) []discoveredTarget {
	if !c.Discovery.Enabled {
		return nil
	}
	credentials := c.Auths[c.Discovery.Auth].Credentials()
	listed := e.listed(c)
	e.finder.mu.Lock()
	defer e.finder.mu.Unlock()
	var shown []*found
	names := map[string]int{}
	for _, mac := range slices.Sorted(maps.Keys(e.finder.plugs)) {
		if p := e.finder.plugs[mac]; p.at != "" && !listed(mac, p.at) && p.mayBelongTo(credentials.Username) {
			shown = append(shown, p)
			names[p.name]++
			names[p.steady]++
		}
	}
	taken := func(name string) bool {
		_, byConfig := c.Target(name)
		return byConfig || names[name] > 0
	}
	var all []discoveredTarget
	for _, p := range shown {
		steady := p.call(taken)
		names[steady]++
		t := discoveredTarget{
			Target: config.Target{Name: steady, MAC: p.mac, Auth: c.Discovery.Auth, Credentials: credentials},
			at:     p.at, others: []string{steady, p.before}, tried: p.tried, first: p.first,
		}
		if _, taken := c.Target(p.name); !taken && names[p.name] == 1 && isName(p.name) {
			t.Name = p.name
		} else if _, taken := c.Target(steady); taken { // since it was chosen
			t.Name += " " + p.mac
		}
		all = append(all, t)
	}
	return all
}

// listed returns a function that reports whether a plug is a target of the
// configuration, whatever identifies that.
func (e *Exporter) listed(c *config.Config) func(mac, at string) bool {
	macs, places := map[string]bool{}, map[string]bool{}
	for _, t := range c.Targets {
		if t.MAC != "" {
			macs[t.MAC] = true
			continue
		}
		if address, err := tapo.ParseAddress(t.Address); err == nil {
			places[address] = true
		}
		if mac := tapo.ParseMAC(e.sessions.State(t).Reading.Info.MAC); mac != "" {
			macs[mac] = true // under the name of a host
		}
	}
	return func(mac, at string) bool { return macs[mac] || places[at] }
}

// isName reports whether a plug's name in the app can be that of a target:
// nothing that may be taken for an address.
func isName(name string) bool {
	if name == "" || len(name) > 100 || strings.ContainsFunc(name, unicode.IsControl) || tapo.ParseMAC(name) != "" {
		return false
	}
	_, notAnAddress := netip.ParseAddr(name)
	_, notWithPort := netip.ParseAddrPort(name)
	return notAnAddress != nil && notWithPort != nil
}

// findTarget returns a target by its name or address: a listed one, or else one
// that discovery adds. The latter go by the names that they had before as well. A
// plug that was asked for by its address is not followed to another one.
func (e *Exporter) findTarget(c *config.Config, name string) (t config.Target, known bool) {
	if t, ok := c.Target(name); ok {
		return t, true
	}
	for _, t := range c.Targets {
		if t.MAC == "" {
			continue
		}
		if at := e.finder.address(t.MAC); isAt(at, name) {
			t.Address = at
			return t, true
		}
	}
	added := e.discovered(c)
	for _, t := range added {
		if t.Name == name {
			return t.Target, true
		}
	}
	for _, t := range added {
		switch {
		case name != "" && slices.Contains(t.others, name):
			return t.Target, true
		case isAt(t.at, name):
			t.Address = t.at
			return t.Target, true
		}
	}
	return config.Target{}, false
}

// namePause is how long a discovered plug is left to those who probe it before it
// is read for its name.
const namePause = 5 * time.Second

// nameDiscovered reads the plugs whose names are not known, once, that were
// discovered so long ago. It reports whether there were any.
func (e *Exporter) nameDiscovered(ctx context.Context, ago time.Duration) bool {
	const atATime = 8
	found := false
	slots := make(chan struct{}, atATime)
	var group sync.WaitGroup
	for _, t := range e.discovered(e.store.Current()) {
		if t.tried || time.Since(t.first) < ago || ctx.Err() != nil {
			continue
		}
		found = true
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			continue // which leaves the rest for another time
		}
		group.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, e.timeout)
			defer cancel()
			e.read(ctx, t.Target, false)
		})
	}
	group.Wait()
	return found
}

// plugsDiscovered is a metric of the exporter's own.
func (e *Exporter) plugsDiscovered() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tapo_exporter_plugs_discovered",
		Help: "Plugs that have replied to the search within a day and may be read: listed by their mac, or of the account that discovery has.",
	}, func() float64 {
		c := e.store.Current()
		n := len(e.discovered(c))
		for _, t := range c.Targets {
			if t.MAC != "" && e.finder.address(t.MAC) != "" {
				n++
			}
		}
		return float64(n)
	})
}
