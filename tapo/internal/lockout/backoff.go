// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import "time"

const (
	firstBackoff = time.Minute
	maxBackoff   = 30 * time.Minute
)

// Backoff delays the next login after a rejected or a useless one: by a minute at first,
// then by twice as long each time, up to half an hour. The zero value is that of a plug
// that has rejected nothing. It is not safe for concurrent use.
//
// It does not count attempts. What a plug that counts them has rejected is for [Guard].
type Backoff struct {
	cause error
	next  time.Time
	wait  time.Duration
}

// Record begins the next delay after a rejected login.
func (b *Backoff) Record(cause error, now time.Time) {
	b.wait = min(max(firstBackoff, 2*b.wait), maxBackoff)
	b.cause, b.next = cause, now.Add(b.wait)
}

// Allow reports whether a login may be tried; if not, next is when it may.
func (b *Backoff) Allow(now time.Time) (next time.Time, ok bool) { return b.next, !now.Before(b.next) }

// Cause returns how the last login failed, nil if none did.
func (b *Backoff) Cause() error { return b.cause }
