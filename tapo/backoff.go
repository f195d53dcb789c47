// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"fmt"
	"time"
)

const (
	firstBackoff = time.Minute
	maxBackoff   = 30 * time.Minute

	// unknownWait follows a login that the plug may have counted as a wrong one,
	// or not; after maxUnknown of them in a row there is no other.
	unknownWait = 30 * time.Second
	maxUnknown  = 3

	// spareAttempts are the attempts that a plug has left before it locks itself
	// which are its owner's.
	spareAttempts = 5
)

// rejection spaces the attempts to log in with credentials that a plug has
// rejected, or ends them, and leaves a plug alone that has locked itself. The
// zero value is that of a plug that has rejected nothing.
//
// A KLAP plug proves what it knows before we do, so that it cannot count our
// failures; then the attempts are only spaced. A TPAP plug counts them.
type rejection struct {
	cause   *failure
	next    time.Time
	wait    time.Duration
	final   bool // no other attempt with these credentials
	unknown int  // logins in a row whose outcome is not known
}

// add notes a login that failed, if it is one to note.
func (r *rejection) add(cause *failure, now time.Time) {
	switch {
	case cause.outcomeUnknown:
		r.unknown++
		r.final = r.unknown >= maxUnknown
		r.wait = unknownWait
	case cause.final:
		r.final = true
	case cause.wait > 0:
		r.wait = cause.wait
	case cause.reason == BadCredentials || cause.rests:
		r.wait = min(max(firstBackoff, 2*r.wait), maxBackoff)
	default:
		return
	}
	r.cause, r.next = cause, now.Add(r.wait)
}

// fewLeft reports whether the attempts that are left are the owner's.
func (r *rejection) fewLeft() bool {
	return r.cause != nil && r.cause.final && r.cause.attemptsLeft >= 0 && r.cause.attemptsLeft <= spareAttempts
}

// bars reports whether forgetting would cost more than some waiting.
func (r *rejection) bars() bool {
	return r.cause != nil && (r.final || r.unknown > 0 || r.cause.reason == Locked)
}

// under is what still holds with other credentials, given which part of them
// is the same.
func (r *rejection) under(sameUsername, samePassword bool) rejection {
	if r.cause == nil {
		return rejection{}
	}
	same := (sameUsername || r.cause.usernameUnused) && (samePassword || r.cause.passwordUnused)
	if same || r.cause.reason == Locked || r.fewLeft() {
		return *r
	}
	return rejection{}
}

// check returns an error while no login may be tried.
func (r *rejection) check(now time.Time) error {
	if r.cause == nil || !r.final && !now.Before(r.next) {
		return nil
	}
	f := *r.cause
	if f.advice == "" {
		f.advice = f.reason.Advice()
	}
	if f.reason != Locked {
		f.reason = LoginBackoff
	}
	switch {
	case r.fewLeft():
		f.text = "not tried again, with any credentials: " + f.text
		f.advice += " None of them is spent here, with whatever credentials. Look at the plug in the Tapo app on the same network, " +
			"and correct the credentials; \"Never locked out\" in docs/protocols.md says how to have them tried."
	case r.final && r.unknown >= maxUnknown:
		f.text = fmt.Sprintf("not tried again after %d logins in a row of which the outcome is not known: %s", r.unknown, f.text)
		f.advice += " The plug may have counted each as a wrong password. Restart the plug; \"Never locked out\" in docs/protocols.md says " +
			"how to have the login tried again."
	case r.final:
		f.text = "not tried again with the same credentials: " + f.text
		f.advice += " Correct the credentials and reload, which tries them once. If they are right by now, \"Never locked out\" in " +
			"docs/protocols.md says how to have them tried again."
	case f.outcomeUnknown:
		f.text = fmt.Sprintf("not tried again before %s, since the plug may have counted the last login: %s", r.next.Format(time.RFC3339), f.text)
		f.advice += " The next try is at " + r.next.Format(time.TimeOnly) + "."
	default:
		f.text = fmt.Sprintf("not tried again before %s: %s", r.next.Format(time.RFC3339), f.text)
		if r.cause.reason == BadCredentials {
			f.advice += " Correct the credentials and reload, which tries at once."
		}
		f.advice += " The next try is at " + r.next.Format(time.TimeOnly) + "."
	}
	return &f
}
