// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"slices"
	"time"
)

const (
	// maxUnclear is how many logins in a row may have an unclear outcome. After them there
	// is no other.
	maxUnclear = 3
	// unclearPerDay is how many there may be in a day, whatever succeeds between them. Each
	// may have been a guess of a host that passes every other login on to the plug.
	unclearPerDay = 10
	day           = 24 * time.Hour
)

// unclearLogin is a login of which the outcome is unclear: the plug may have counted it as a
// wrong one, and the host may have tried one guess of the password with it.
type unclearLogin struct {
	At time.Time `json:"at"`
	// Way is how the host wanted the login, "" if an earlier version has stored it.
	Way string `json:"way,omitempty"`
	// Over is true if a login has succeeded in the same way since then.
	Over bool `json:"over,omitempty"`
}

// unclearLogins are those of one plug, the oldest first.
type unclearLogins []unclearLogin

// inARow returns how many there are since the last login that proves them harmless.
func (u unclearLogins) inARow() (n int) {
	for _, l := range u {
		if !l.Over {
			n++
		}
	}
	return n
}

// spentUntil returns when fewer than unclearPerDay are younger than a day, the zero time if
// that is so now.
func (u unclearLogins) spentUntil(now time.Time) time.Time {
	if len(u) < unclearPerDay {
		return time.Time{}
	}
	if next := u[len(u)-unclearPerDay].At.Add(day); now.Before(next) {
		return next
	}
	return time.Time{}
}

// succeeded records a login that the plug accepted. It says nothing of a login that was
// wanted in another way: the plug itself may want it in one, and a host that poses as it in
// the other. Such a login counts for a day.
func (u unclearLogins) succeeded(way string, now time.Time) unclearLogins {
	for i, l := range u {
		u[i].Over = l.Over || l.Way == way || l.Way == "" || now.Sub(l.At) >= day
	}
	return u.prune(now)
}

// refused records a definite refusal, which ends the row: the same credentials are not
// tried again.
func (u unclearLogins) refused() {
	for i := range u {
		u[i].Over = true
	}
}

// prune drops those that count no more.
func (u unclearLogins) prune(now time.Time) unclearLogins {
	return slices.DeleteFunc(u, func(l unclearLogin) bool { return l.Over && now.Sub(l.At) >= day })
}
