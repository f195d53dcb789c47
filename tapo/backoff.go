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
)

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
