// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// Retain takes a new configuration. The plug of a target whose settings or
// credentials have changed takes over the state of the plug before; plugs that no
// target has any more are dropped.
func (s *Pool) Retain(c *config.Config) {
	listed := map[key]bool{}
	for _, t := range c.Targets {
		listed[keyOf(t)] = true
	}
	s.mu.Lock()
	s.listed = listed
	s.mu.Unlock()
	replaced := s.replacedBy(listed)
	for _, t := range c.Targets {
		k := keyOf(t)
		if t.MAC == "" {
			_, _ = s.open(t, replaced[k.plug]) // a probe will show the error
		} else {
			s.markListed(k)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, p := range s.plugs {
		if p.listed && !listed[k] || !p.listed && !hasAccount(c, k.credentials) {
			s.drop(k)
		}
	}
}

// markListed notes that a target has a plug, if its address is known already.
func (s *Pool) markListed(k key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.plugs[k]; p != nil {
		p.listed = true
	}
}

// replacedBy returns the plugs that new keys have no more, by what key.plug says:
// their targets are gone or have other credentials.
func (s *Pool) replacedBy(listed map[key]bool) map[string]*plug {
	s.mu.Lock()
	defer s.mu.Unlock()
	replaced := map[string]*plug{}
	for k, p := range s.plugs {
		if p.listed && !listed[k] {
			replaced[k.plug] = p
		}
	}
	return replaced
}

// hasAccount reports whether some account still has these credentials.
func hasAccount(c *config.Config, credentials tapo.Credentials) bool {
	for _, a := range c.Auths {
		if a.Credentials() == credentials {
			return true
		}
	}
	return false
}
