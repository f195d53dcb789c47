// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"iter"
	"sync"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// targetIndex finds a target at the same cost however many there are, since
// every probe looks one up. It is built when a file is loaded, or at the first
// look-up in a Config that is made by hand.
type targetIndex struct {
	once                     sync.Once
	byName, byAddress, byMAC map[string]int // in Config.Targets
	withMAC                  []int
}

// indexed returns the index of the targets.
func (c *Config) indexed() *targetIndex {
	x := &c.index
	x.once.Do(func() {
		x.byName, x.byAddress, x.byMAC = map[string]int{}, map[string]int{}, map[string]int{}
		for i, t := range c.Targets {
			addFirst(x.byName, t.Name, i)
			if t.MAC != "" {
				addFirst(x.byMAC, t.MAC, i)
				x.withMAC = append(x.withMAC, i)
			}
			if address, err := tapo.ParseAddress(t.Address); err == nil && t.Address != "" {
				addFirst(x.byAddress, address, i)
			}
		}
	})
	return x
}

// addFirst adds a key unless an earlier target has it.
func addFirst(index map[string]int, key string, i int) {
	if _, taken := index[key]; !taken {
		index[key] = i
	}
}

// Target returns a listed target by its name, or by its address with or without
// the port. A name comes before an address.
func (c *Config) Target(nameOrAddress string) (Target, bool) {
	if i, ok := c.indexed().byName[nameOrAddress]; ok {
		return c.Targets[i], true
	}
	return c.TargetAt(nameOrAddress)
}

// TargetAt returns the target that is listed with an address, with or without
// the port.
func (c *Config) TargetAt(address string) (Target, bool) {
	address, err := tapo.ParseAddress(address)
	if err != nil {
		return Target{}, false
	}
	i, ok := c.indexed().byAddress[address]
	if !ok {
		return Target{}, false
	}
	return c.Targets[i], true
}

// TargetOf returns the target that is listed with the MAC address of its plug.
func (c *Config) TargetOf(mac string) (Target, bool) {
	i, ok := c.indexed().byMAC[mac]
	if !ok {
		return Target{}, false
	}
	return c.Targets[i], true
}

// WithMAC yields the targets that are listed with the MAC addresses of their
// plugs.
func (c *Config) WithMAC() iter.Seq[Target] {
	return func(yield func(Target) bool) {
		for _, i := range c.indexed().withMAC {
			if !yield(c.Targets[i]) {
				return
			}
		}
	}
}
