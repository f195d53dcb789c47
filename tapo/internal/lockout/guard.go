// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package lockout keeps plugs from being locked, and from being asked too much.
//
// There are three rules, each a type with what it allows and what is recorded of
// the outcome. [Guard] is for plugs that count wrong logins: what they have
// refused is not tried again, and the last attempts are left to the owner.
// [Backoff] spaces logins where nothing is counted. [Cooldown] follows an answer
// that the plug gets too many requests (HTTP status 429). None of them does any
// I/O, or knows what is being logged in to.
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
	// unknownWait follows a login that the plug may have counted as a wrong one,
	// or not; after maxUnknown of them in a row there is no other.
	unknownWait = 30 * time.Second
	maxUnknown  = 3

	// spareAttempts are the attempts that a plug has left before it locks itself
	// which are its owner's.
	spareAttempts = 5

	// lockTime is how long a plug is left alone that is locked and does not say
	// for how long; maxLock is the longest that is believed, since anybody could
	// have sent the answer, and asking again costs no attempt.
	lockTime = 30 * time.Minute
	maxLock  = 24 * time.Hour

	maxRefused = 20 // credentials that are remembered per plug
)

// Locked is the reason in a [Cause] of a plug that has locked itself.
const Locked = "locked"

// Guard keeps a plug from being locked. A TPAP plug counts logins with a wrong
// password and locks itself, for its owner as well; a Guard remembers what it
// has refused and said, and permits no login that could do harm. It belongs to
// the plug, not to an account: all devices of one plug must have the same. It is
// safe for concurrent use; what decides about logins is for who has acquired it.
type Guard struct {
	// Cooldown is that of the plug.
	Cooldown Cooldown

	address string
	store   Store
	busy    chan struct{} // holds a token during a login; guards what follows
	state   guardState
}

// Store keeps, beyond the life of the process, what guards remember,
// so that a restart spends no attempt. Its methods may be called concurrently.
type Store interface {
	// Load returns what was saved for an address, nil if nothing is.
	Load(address string) []byte
	// Save replaces it; a nil state removes it.
	Save(address string, state []byte)
}

// guardState is what a guard remembers, and the JSON that is stored.
type guardState struct {
	AttemptsLeft *int         `json:"attempts_left,omitempty"` // nil if the plug has not said
	Unknown      int          `json:"unknown_outcomes,omitempty"`
	Next         time.Time    `json:"next,omitzero"` // no login before that
	Cause        *Cause       `json:"cause,omitempty"`
	Refused      []*refusedBy `json:"refused,omitempty"` // the oldest first
}

// Cause is how a login failed, in the words that users get.
type Cause struct {
	Reason string `json:"reason"`
	Text   string `json:"text"`
	Advice string `json:"advice"`
}

// Denied says why a login may not be tried.
type Denied struct {
	Cause        // of the login that it follows
	Locked       bool
	AttemptsLeft int // -1 if the plug has not said
}

// NewGuard returns the guard of the plug at an address, with what an earlier
// process has stored of it. store may be nil.
func NewGuard(address string, store Store) *Guard {
	g := &Guard{address: address, store: store, busy: make(chan struct{}, 1)}
	if store != nil {
		s := &g.state
		if json.Unmarshal(store.Load(address), s) != nil {
			*s = guardState{} // nothing is stored, or it is damaged
		}
		s.Refused = slices.DeleteFunc(s.Refused, func(r *refusedBy) bool { return r == nil })
		if s.Cause == nil { // nor is it what we have written
			*s = guardState{Refused: s.Refused}
		}
		if latest := time.Now().Add(maxLock); s.Next.After(latest) { // the clock was wrong when it was stored, or is now
			s.Next = latest
		}
	}
	return g
}

// Idle reports whether nobody uses the guard and nothing is remembered, so that
// it can be forgotten.
func (g *Guard) Idle() bool {
	select {
	case g.busy <- struct{}{}:
		defer g.Release()
		return g.state.empty() && g.Cooldown.over(time.Now())
	default:
		return false
	}
}

func (s *guardState) empty() bool { return s.Cause == nil && len(s.Refused) == 0 }

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

// Waiting reports whether the plug is to be left alone for a while. g must have
// been acquired.
func (g *Guard) Waiting(now time.Time) bool { return now.Before(g.state.Next) }

// Allow returns why no login that the plug counts may be tried with c, nil if one
// may. g must have been acquired.
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
	for _, r := range s.Refused {
		if r.is(c) {
			return because(&r.Cause, "not tried again with the same credentials",
				`Correct the credentials and reload, which tries them once. If they are right by now, "Never locked out" in docs/protocols.md `+
					"says how to have them tried again.")
		}
	}
	return nil
}

// Record remembers a rejected login, and why, if it is one to remember. g must
// have been acquired.
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
		s.Refused = append(s.Refused, newRefused(c, r, why, g.store != nil))
		s.Refused = s.Refused[max(0, len(s.Refused)-maxRefused):]
	default:
		return
	}
	s.Cause = &why
	g.save()
}

// spend takes an attempt off what the plug has left, until it says itself.
func (s *guardState) spend() {
	if left := s.AttemptsLeft; left != nil {
		s.AttemptsLeft = new(max(0, *left-1))
	}
}

// Succeeded records a login that the plug took, which sets its count back. Other
// credentials stay refused. g must have been acquired.
func (g *Guard) Succeeded() {
	s := &g.state
	if s.Cause == nil {
		return
	}
	g.state = guardState{Refused: s.Refused}
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
		panic(err) // of numbers, texts and times that we made
	}
	g.store.Save(g.address, state)
}
