// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package plugs

import (
	"context"
	"maps"
	"sync"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// Locks are what all who talk to the plug at one address must share, whatever
// targets and accounts they do it for. The zero value is ready. Its methods are
// safe for concurrent use.
type Locks struct {
	// Rejections keeps what guards remember beyond the life of the process; nil
	// forgets it. It must be set before the first call of a method.
	Rejections tapo.RejectionStore

	mu        sync.Mutex
	byAddress map[string]*Lock
	guesses   *tapo.Guesses
}

// Lock belongs to the plug at one address.
type Lock struct {
	// Guard remembers which logins the plug has refused.
	Guard *tapo.Guard

	turn chan struct{} // holds a token between Acquire and Release
}

// At returns the lock of the plug at an address, which must be in the spelling of
// [tapo.ParseAddress].
func (l *Locks) At(address string) *Lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byAddress == nil {
		l.byAddress = map[string]*Lock{}
	}
	if l.byAddress[address] == nil {
		l.byAddress[address] = &Lock{Guard: tapo.NewGuard(address, l.Rejections), turn: make(chan struct{}, 1)}
	}
	return l.byAddress[address]
}

// Guesses returns the budget of logins to plugs that nobody listed.
func (l *Locks) Guesses() *tapo.Guesses {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.guesses == nil {
		l.guesses = tapo.NewGuesses(l.Rejections)
	}
	return l.guesses
}

// Forget drops the locks of addresses that are not in use, except those whose
// plugs have refused a login or must rest.
func (l *Locks) Forget(inUse map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.byAddress, func(address string, lock *Lock) bool { return !inUse[address] && lock.Guard.Idle() })
}

// Len returns how many locks there are.
func (l *Locks) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.byAddress)
}

// Acquire waits until nobody else talks to the plug. Short-lived commands call
// it: each of their reads is a session of its own, which would end another.
func (l *Lock) Acquire(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Release ends what a successful Acquire has begun.
func (l *Lock) Release() { <-l.turn }
