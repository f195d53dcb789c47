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
	config.Target
	others []string // names that it had before
	tried  bool     // it has been read, or somebody has tried to
	first  time.Time
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
	names, steady := map[string]int{}, map[string]int{}
	for _, p := range e.finder.plugs {
		names[p.name]++
		steady[p.device.Name()]++
	}
	var all []discoveredTarget
	for _, mac := range slices.Sorted(maps.Keys(e.finder.plugs)) {
		p := e.finder.plugs[mac]
		if p.at == "" || listed(mac, p.at) || !p.device.MayBelongTo(credentials.Username) {
			continue
		}
		name := p.device.Name()
		if _, taken := c.Target(name); taken || steady[name] > 1 { // by a plug of another maker
			name += "-" + strings.ToLower(strings.ReplaceAll(mac[:8], "-", ""))
		}
		t := discoveredTarget{
			Target: config.Target{Name: name, Address: p.at, MAC: mac, Auth: c.Discovery.Auth, Credentials: credentials},
			others: []string{name, p.before}, tried: p.tried, first: p.first,
		}
		if _, taken := c.Target(p.name); !taken && names[p.name] == 1 && isName(p.name) {
			t.Name = p.name
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
// that discovery adds. The latter go by the name that they had before theirs was
// known as well.
func (e *Exporter) findTarget(c *config.Config, name string) (config.Target, bool) {
	if t, ok := c.Target(name); ok {
		return t, true
	}
	for _, t := range c.Targets {
		if t.MAC != "" && isAt(e.finder.address(t.MAC), name) {
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
		if name != "" && slices.Contains(t.others, name) || isAt(t.Address, name) {
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
		if t.tried || time.Since(t.first) < ago {
			continue
		}
		found = true
		slots <- struct{}{}
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

var discoveredDesc = prometheus.NewDesc("tapo_exporter_plugs_discovered",
	"Plugs that have replied to the search within a day and may be read: listed by their mac, or of the account that discovery has.", nil, nil)

// Describe implements [prometheus.Collector].
func (e *Exporter) Describe(ch chan<- *prometheus.Desc) { ch <- discoveredDesc }

// Collect implements [prometheus.Collector].
func (e *Exporter) Collect(ch chan<- prometheus.Metric) {
	c := e.store.Current()
	n := len(e.discovered(c))
	for _, t := range c.Targets {
		if t.MAC != "" && e.finder.address(t.MAC) != "" {
			n++
		}
	}
	ch <- prometheus.MustNewConstMetric(discoveredDesc, prometheus.GaugeValue, float64(n))
}
