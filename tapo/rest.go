// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lockout"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/smart"
)

// minRest is the time between two logins to a plug that rests and keeps losing its
// sessions.
const minRest = time.Minute

// rest delays the next login to a plug whose logins succeed and lead to nothing: no
// request over the session gets a reply that can be used. The session, if it stands, is
// used in that time: a good reply ends the rest.
type rest struct {
	lockout.Backoff
	logins int       // that succeeded in this conversation
	lost   bool      // the session fails in another way since then: the plug may have been restarted
	early  time.Time // the last login that was tried during the rest for that reason
}

// until returns when the next login may be tried, the zero time if it may be now.
func (r *rest) until(now time.Time) time.Time {
	next, over := r.Allow(now)
	if early := r.early.Add(minRest); r.lost && early.Before(next) {
		next, over = early, !now.Before(early)
	}
	if over {
		return time.Time{}
	}
	return next
}

// logsIn records that a login is tried.
func (r *rest) logsIn(now time.Time) {
	if _, over := r.Allow(now); !over {
		r.early = now
	}
}

// loggedIn records a login that succeeded.
func (r *rest) loggedIn() {
	r.logins++
	r.lost = false
}

// refused records a login that the plug has refused although it has the account, as it does
// while Third-Party Compatibility is off. It may accept the next one.
func (r *rest) refused() {
	r.logins++
	r.lost = true
}

// ended records the result of a conversation.
func (r *rest) ended(err error, now time.Time) {
	switch {
	case err == nil:
		*r = rest{}
	case r.logins > 0 && isUseless(err):
		r.Record(err, now)
	}
}

// renews reports whether a login that may mend an error is to be tried at once.
func (r *rest) renews(err error, now time.Time) bool {
	if r.Cause() == nil {
		return true
	}
	r.lost = r.lost || errors.Is(err, plugerr.ErrSessionLost) || reasonFor(err) != reasonFor(r.Cause())
	return r.logins == 0 && r.until(now).IsZero()
}

// isUseless reports whether a plug has replied, and not with what can be used. That it
// has no history says nothing of its readings.
func isUseless(err error) bool {
	if isType[*smart.HistoryError](err) {
		return false
	}
	switch reasonFor(err) {
	case BadReply, Unsupported, SessionStolen, LocalAccessRefused:
		return true
	}
	if errors.Is(err, plugerr.ErrRefused) {
		return true
	}
	status, ok := errors.AsType[*httpwire.StatusError](err)
	return ok && status.Status != http.StatusTooManyRequests
}

func reasonFor(err error) Reason { return newError("", "", err).Reason }

// resting returns why no login is tried now although one may mend an error, and the error
// itself if that is not so. Without a session the error is nil.
func (l *login) resting(err error) error {
	mendable := err == nil || isUseless(err) || errors.Is(err, plugerr.ErrSessionLost)
	next := l.rest.until(l.cfg.Now())
	if next.IsZero() || l.rest.logins > 0 || !mendable {
		return err
	}
	at, cause := next.Format(time.RFC3339), l.rest.Cause()
	e := newError(l.cfg.Address, l.protocol(), cause)
	return &failure{
		reason: e.Reason, protocol: e.Protocol, kind: cause, text: fmt.Sprintf("no login before %s: %v", at, cause),
		advice: e.Advice + " The next login is at " + at + ".",
	}
}
