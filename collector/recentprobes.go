// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// Probe is a finished probe, for the pages.
type Probe struct {
	ID     uint64 // from 1
	Target string
	Start  time.Time
	Took   time.Duration
	Err    *tapo.Error // nil if it succeeded
	Shared bool        // it waited for another probe's read
	// Protocol and Info are what is known of the plug, empty otherwise.
	Protocol tapo.Protocol
	Info     tapo.Info
	host     string // of the target; it may be private
	lines    []slog.Record
}

// recentProbes keeps the last probes, and of those before the last failures. Its
// methods are safe for concurrent use.
type recentProbes struct {
	mu       sync.Mutex
	nextID   uint64
	latest   ring
	failures ring // failed probes that latest has dropped
}

func newRecentProbes(limit int) *recentProbes {
	return &recentProbes{nextID: 1, latest: ring{limit: limit}, failures: ring{limit: limit}}
}

func (r *recentProbes) add(p Probe) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.ID = r.nextID
	r.nextID++
	if dropped, full := r.latest.add(p); full && dropped.Err != nil {
		r.failures.add(dropped)
	}
}

// newestFirst returns the kept probes.
func (r *recentProbes) newestFirst() []Probe {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := append(r.failures.oldestFirst(), r.latest.oldestFirst()...)
	slices.Reverse(all)
	return all
}

func (r *recentProbes) find(id uint64) (Probe, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, kept := range []*ring{&r.latest, &r.failures} {
		for i := range kept.probes { // by index: a Probe is large
			if kept.probes[i].ID == id {
				return kept.probes[i], true
			}
		}
	}
	return Probe{}, false
}

// ring keeps the last probes that were added.
type ring struct {
	limit  int
	probes []Probe
	oldest int // index, once it is full
}

// add returns the probe that the new one has replaced.
func (r *ring) add(p Probe) (dropped Probe, full bool) {
	switch {
	case r.limit == 0:
		return p, true
	case len(r.probes) < r.limit:
		r.probes = append(r.probes, p)
		return Probe{}, false
	}
	dropped = r.probes[r.oldest]
	r.probes[r.oldest] = p
	r.oldest = (r.oldest + 1) % r.limit
	return dropped, true
}

func (r *ring) oldestFirst() []Probe {
	return slices.Concat(r.probes[r.oldest:], r.probes[:r.oldest])
}
