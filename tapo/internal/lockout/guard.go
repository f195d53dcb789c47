// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package lockout decides when a login or a request may be tried
// (docs/protocols.md "Never locked out").
//
// There are three rules. Each is a type with a method that records an outcome, and one
// that allows the next try or does not. [Guard] is for plugs that count wrong logins: it
// never allows the same refused credentials again, and leaves the last attempts to the
// owner. [Backoff] delays logins to plugs that do not count. [Cooldown] delays all requests
// after HTTP status 429. The rules do no I/O, except that a Guard calls its [Store].
package lockout

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

const (
	// unknownWait is the delay after a login whose outcome is unknown: the plug may have
	// counted it as a wrong one. After maxUnknown of them in a row there is no other.
	unknownWait = 30 * time.Second
	maxUnknown  = 3

	// spareAttempts is the number of attempts that are left to the owner.
	spareAttempts = 5

	// lockTime is the time without logins if a locked plug does not report how long its
	// lock lasts. It is 30 minutes on a camera; on plugs it is not known. maxLock is the
	// longest time that is accepted from a plug: anybody could have sent the reply, and
	// discover costs no attempt.
	lockTime = 30 * time.Minute
	maxLock  = 24 * time.Hour

	maxRejected = 20 // refused credentials that are kept per plug
)

// Locked is the reason in the [Cause] of a plug that has locked itself.
const Locked = "locked"

// Guard keeps a plug from locking itself. A TPAP plug counts logins with a wrong password,
// and after 15 of them it locks itself, for its owner as well
// (python-kasa/python-kasa#1592). A Guard keeps which credentials the plug has refused and
// how many attempts it has reported, and allows no login that could lock it. There is one
// Guard per plug, for all accounts and devices. It is safe for concurrent use. Its
// decisions about logins require [Guard.Acquire].
type Guard struct {
	// Cooldown is the cooldown of the plug.
	Cooldown Cooldown

	address string
	store   Store
	busy    chan struct{} // holds an element during a login; guards state
	state   guardState
}

// Store keeps the state of guards beyond the life of the process, so that a restart costs
// no attempt. Its methods may be called concurrently.
type Store interface {
	// Load returns the state saved for an address, nil if there is none.
	Load(address string) []byte
	// Save replaces the state; nil removes it.
	Save(address string, state []byte)
}

// guardState is the state of a guard, and the JSON of it in a [Store].
type guardState struct {
	AttemptsLeft *int                   `json:"attempts_left,omitempty"` // nil if the plug has reported none
	Unknown      int                    `json:"unknown_outcomes,omitempty"`
	Next         time.Time              `json:"next,omitzero"` // no login before this time
	Cause        *Cause                 `json:"cause,omitempty"`
	Rejected     []*rejectedCredentials `json:"refused,omitempty"` // the oldest first
}

// Cause is the reason of a failed login, in words for users.
type Cause struct {
	Reason string `json:"reason"`
	Text   string `json:"text"`
	Advice string `json:"advice"`
}

// Denied is the reason why a login may not be tried.
type Denied struct {
	Cause        // of the last login
	Locked       bool
	AttemptsLeft int // -1 if the plug has reported none
}

// NewGuard returns the guard of the plug at an address, with the state that an earlier
// process has stored. store may be nil.
func NewGuard(address string, store Store) *Guard {
	g := &Guard{address: address, store: store, busy: make(chan struct{}, 1)}
	if store != nil {
		s := &g.state
		if json.Unmarshal(store.Load(address), s) != nil {
			*s = guardState{} // nothing is stored, or it is damaged
		}
		s.Rejected = slices.DeleteFunc(s.Rejected, func(r *rejectedCredentials) bool { return r == nil })
		if s.Cause == nil { // no Guard stores the rest without a cause
			*s = guardState{Rejected: s.Rejected}
		}
		if latest := time.Now().Add(maxLock); s.Next.After(latest) { // the clock was wrong when it was stored, or is now
			s.Next = latest
		}
	}
	return g
}

// Idle reports whether no device has acquired the guard and it has no state, so that it
// can be dropped.
func (g *Guard) Idle() bool {
	select {
	case g.busy <- struct{}{}:
		defer g.Release()
		return g.state.empty() && g.Cooldown.over(time.Now())
	default:
		return false
	}
}

func (s *guardState) empty() bool { return s.Cause == nil && len(s.Rejected) == 0 }

// Acquire waits until no other device logs in to the plug. Release must follow.
func (g *Guard) Acquire(ctx context.Context) error {
	select {
	case g.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Release lets the next device log in.
func (g *Guard) Release() { <-g.busy }

// Waiting reports whether no login is allowed for a while. g must have been acquired.
func (g *Guard) Waiting(now time.Time) bool { return now.Before(g.state.Next) }

// Allow returns nil if a login with c may be tried, on a plug that counts it. Otherwise it
// returns the reason. g must have been acquired.
func (g *Guard) Allow(c plug.Credentials, now time.Time) *Denied {
	s := &g.state
	d := &Denied{AttemptsLeft: -1}
	if s.AttemptsLeft != nil {
		d.AttemptsLeft = *s.AttemptsLeft
	}
	because := func(why *Cause, text, advice string) *Denied {
		d.Text, d.Advice = text+": "+why.Text, why.Advice+" "+advice
		return d
	}
	at := s.Next.Format(time.RFC3339)
	switch {
	case g.Waiting(now) && s.Cause.Reason == Locked:
		d.Locked = true
		return because(s.Cause, "not tried before "+at, "The next try is at "+at+".")
	case g.Waiting(now):
		return because(s.Cause, "not tried again before "+at+", since the plug may have counted the last login", "The next try is at "+at+".")
	case s.Unknown >= maxUnknown:
		return because(s.Cause, fmt.Sprintf("not tried again after %d logins in a row of which the outcome is not known", s.Unknown),
			`The plug may have counted each as a wrong password. Restart the plug; "Never locked out" in docs/protocols.md says how to have the `+
				"login tried again.")
	case s.AttemptsLeft != nil && *s.AttemptsLeft <= spareAttempts:
		return because(s.Cause, fmt.Sprintf("not tried again, with any credentials, since the plug has %d attempts left", *s.AttemptsLeft),
			"None of the attempts left is spent here, with whatever credentials. Look at the plug in the Tapo app on the same network, and "+
				`correct the credentials; "Never locked out" in docs/protocols.md says how to have them tried.`)
	}
	for _, r := range s.Rejected {
		if r.is(c) {
			return because(&r.Cause, "not tried again with the same credentials",
				`Correct the credentials and reload, which tries them once. If they are right by now, "Never locked out" in docs/protocols.md `+
					"says how to have them tried again.")
		}
	}
	return nil
}

// Record records a rejected login and its reason, if the plug may have counted it or is
// locked. g must have been acquired.
func (g *Guard) Record(c plug.Credentials, r *transport.Rejected, why Cause, now time.Time) {
	s := &g.state
	locked := r.Verdict == transport.Locked
	switch {
	case locked:
		wait := r.Lock
		if wait <= 0 || r.OutcomeUnknown {
			wait = max(wait, lockTime)
		}
		if r.OutcomeUnknown {
			s.spend()
			s.Unknown++
		}
		s.Next = now.Add(min(wait, maxLock))
	case r.OutcomeUnknown:
		s.spend()
		s.Unknown++
		s.Next = now.Add(unknownWait)
	case r.Counts:
		s.spend()
		s.Unknown = 0
		if r.AttemptsLeft >= 0 {
			s.AttemptsLeft = new(r.AttemptsLeft)
		}
		s.Rejected = append(s.Rejected, newRejected(c, r, why, g.store != nil))
		s.Rejected = s.Rejected[max(0, len(s.Rejected)-maxRejected):]
	default:
		return
	}
	s.Cause = &why
	g.save()
}

// spend takes one off the attempts that the plug has reported. The next report replaces
// the number.
func (s *guardState) spend() {
	if left := s.AttemptsLeft; left != nil {
		s.AttemptsLeft = new(max(0, *left-1))
	}
}

// Succeeded records a login that the plug accepted, which resets the plug's count. Other
// credentials stay refused. g must have been acquired.
func (g *Guard) Succeeded() {
	s := &g.state
	if s.Cause == nil {
		return
	}
	g.state = guardState{Rejected: s.Rejected}
	g.save()
}

func (g *Guard) save() {
	if g.store == nil {
		return
	}
	if g.state.empty() {
		g.store.Save(g.address, nil)
		return
	}
	state, err := json.Marshal(g.state)
	if err != nil {
		panic(err) // the state has numbers, texts and times only
	}
	g.store.Save(g.address, state)
}
