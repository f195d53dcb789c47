// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lockout"
)

// Guard keeps the plugs at one address from being locked, and from being asked too
// much. It remembers what each has refused, over reloads and, with a store, over
// restarts. It belongs to the address, not to an account: all devices of one address
// must have the same. It is safe for concurrent use.
type Guard struct{ rules *lockout.Guard }

// RejectionStore keeps, beyond the life of the process, what guards remember, so
// that a restart spends no attempt. Its methods may be called concurrently. Load and Save
// do not wait for a disk.
type RejectionStore interface {
	// Load returns what was saved for an address, nil if nothing is. It is called in
	// every read, so that a store can forget what is no longer in use.
	Load(address string) []byte
	// Save replaces it; a nil state removes it.
	Save(address string, state []byte)
	// Sync waits until all that was saved before the call outlives the process, and what
	// other processes have saved can be loaded. It is called before each login that a plug
	// counts. An error, that of ctx for example, does not keep the login from being tried.
	Sync(ctx context.Context) error
}

// NewGuard returns the guard of an address, with what an earlier process has
// stored of it. store may be nil.
func NewGuard(address string, store RejectionStore) *Guard {
	return &Guard{lockout.NewGuard(address, store)}
}

// Idle reports whether nobody uses the guard and nothing is remembered, so that
// it can be forgotten.
func (g *Guard) Idle() bool { return g.rules.Idle() }

// Guesses is the budget of logins at addresses that nobody listed. For each account and day,
// 10 logins over TPAP and 100 over KLAP may be rejected or have no outcome, since whoever
// poses as a plug may try one guess of the password with each. All devices at such addresses
// must have the same one. It is safe for concurrent use.
type Guesses struct {
	counted, uncounted *lockout.Guesses
	untilProven        bool
}

// NewGuesses returns the budget that an earlier process has left, by what it has stored.
// store may be nil.
func NewGuesses(store RejectionStore) *Guesses {
	return &Guesses{counted: lockout.NewGuesses(lockout.Counted, store), uncounted: lockout.NewGuesses(lockout.Uncounted, store)}
}

// UntilProven returns the same budget, for a plug that is listed and whose address is not: a
// search has found it. Once the plug has proved there that it has the account, its logins do
// not count towards the budget.
func (g *Guesses) UntilProven() *Guesses {
	return &Guesses{g.counted, g.uncounted, true}
}
