// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import "github.com/tapo-exporter/tapo_exporter/tapo/internal/lockout"

// Guard keeps a plug from being locked, and from being asked too much. It
// remembers what the plug has refused and said, over reloads and, with a store,
// over restarts. It belongs to the plug, not to an account: all devices of one plug
// must have the same. It is safe for concurrent use.
type Guard struct{ rules *lockout.Guard }

// RejectionStore keeps, beyond the life of the process, what guards remember, so
// that a restart spends no attempt. Its methods may be called concurrently.
type RejectionStore interface {
	// Load returns what was saved for an address, nil if nothing is.
	Load(address string) []byte
	// Save replaces it; a nil state removes it.
	Save(address string, state []byte)
}

// NewGuard returns the guard of the plug at an address, with what an earlier
// process has stored of it. store may be nil.
func NewGuard(address string, store RejectionStore) *Guard {
	return &Guard{lockout.NewGuard(address, store)}
}

// Idle reports whether nobody uses the guard and nothing is remembered, so that
// it can be forgotten.
func (g *Guard) Idle() bool { return g.rules.Idle() }
