// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"fmt"
	"sync"
	"time"
)

const (
	firstBackoff = time.Minute
	maxBackoff   = 30 * time.Minute

	firstRest = 10 * time.Second
	maxRest   = 5 * time.Minute
)

// rest is how long a plug is not asked anything that has answered that it gets
// too many requests (HTTP status 429). The zero value is that of a plug that has
// not. It is safe for concurrent use.
type rest struct {
	mu    sync.Mutex
	since time.Time
	until time.Time
	wait  time.Duration
}

// extend begins a rest, each longer than the one before.
func (r *rest) extend(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wait = min(max(firstRest, 2*r.wait), maxRest)
	r.since, r.until = now, now.Add(r.wait)
}

// end forgets a rest, unless it has begun after what speaks against it.
func (r *rest) end(began time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.since.After(began) {
		r.until, r.wait = time.Time{}, 0
	}
}

// check returns an error while the plug may not be asked.
func (r *rest) check(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !now.Before(r.until) {
		return nil
	}
	at := r.until.Format(time.RFC3339)
	return &failure{
		reason: PlugError, text: "not asked before " + at + ", since the plug has answered that it gets too many requests (HTTP status 429)",
		advice: tooManyAdvice + " The next try is at " + at + ".",
	}
}

// over reports whether nothing needs to be remembered.
func (r *rest) over(now time.Time) bool { return r.check(now) == nil }

// rejection spaces the attempts to log in with credentials that a plug does not
// know. The zero value is that of a plug that has rejected nothing.
//
// It is for plugs that do not count attempts; see [Guard] for those that do.
type rejection struct {
	cause *failure
	next  time.Time
	wait  time.Duration
}

func (r *rejection) add(cause *failure, now time.Time) {
	r.wait = min(max(firstBackoff, 2*r.wait), maxBackoff)
	r.cause, r.next = cause, now.Add(r.wait)
}

// check returns an error while no login may be tried.
func (r *rejection) check(now time.Time) error {
	if !now.Before(r.next) {
		return nil
	}
	f := *r.cause
	if f.advice == "" {
		f.advice = f.reason.Advice()
	}
	at := r.next.Format(time.RFC3339)
	f.reason = LoginBackoff
	f.text = fmt.Sprintf("not tried again before %s: %s", at, f.text)
	if f.protocol != TPAP { // there it is the plug that wants correcting
		f.advice += " Correct the credentials and reload, which tries at once."
	}
	f.advice += " The next try is at " + at + "."
	return &f
}
