// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"net"
	"slices"
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
)

const (
	// idleUnlisted is how long an unlisted plug is remembered at least that nobody
	// probes. It is dropped when another one is probed for the first time.
	idleUnlisted = 24 * time.Hour
	// maxUnlisted is how many are remembered at most: a client of /probe can name
	// any number of addresses.
	maxUnlisted = 1000
)

// forgetUnlisted drops unlisted plugs that nobody has probed for long, and the
// one unused for longest if there are too many. s.mu is held.
func (s *Pool) forgetUnlisted(now time.Time) {
	var oldest key
	count := 0
	for k, p := range s.plugs {
		switch {
		case p.listed:
		case now.Sub(p.used) > idleUnlisted:
			s.drop(k)
		default:
			if count == 0 || p.used.Before(s.plugs[oldest].used) {
				oldest = k
			}
			count++
		}
	}
	if count >= maxUnlisted {
		s.drop(oldest)
	}
	inUse := map[string]bool{}
	for _, p := range s.plugs {
		inUse[p.target.Address] = true
	}
	s.locks.Forget(inUse)
}

// Discard forgets a target's plug that is not listed, except for the logins that it
// has refused.
func (s *Pool) Discard(t config.Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.plugs[keyOf(t)]; p != nil && !p.listed {
		s.drop(keyOf(t))
	}
}

// Unlisted returns the plugs that only Prometheus knows, as targets, sorted by
// address.
func (s *Pool) Unlisted(c *config.Config) []config.Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []config.Target
	for k, p := range s.plugs {
		if p.listed || p.target.MAC != "" {
			continue
		}
		host, _, err := net.SplitHostPort(p.target.Address)
		if err != nil {
			host = p.target.Address
		}
		t := config.Target{Name: host, Address: p.target.Address, Credentials: k.credentials, Unlisted: true}
		for name, auth := range c.Auths {
			if len(c.Auths) > 1 && auth.Credentials() == k.credentials {
				t.Auth = name
			}
		}
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b config.Target) int { return strings.Compare(a.Name, b.Name) })
	return all
}
