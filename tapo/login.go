// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/budget"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lockout"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
)

// login makes sessions with one plug and keeps the one that stands. It decides
// which transport is used and when a login may be tried. What a login is made of
// is the transport's, and what is said over a session the dialect's. It is used by
// one conversation at a time, but for standing.
type login struct {
	cfg        Config
	link       transport.Link
	transports []*openTransport
	backoff    lockout.Backoff
	rest       rest
	impasse    *impasse // nil unless the last walk has ended in one

	session *session
	live    atomic.Value // Protocol of the session, "" without one that counts as standing

	last  *openTransport  // over which the plug is asked first, nil to begin with the strongest
	offer transport.Offer // of last, for another login in the same conversation; nil if the plug has to be asked
	mac   string          // that the plug reported before the last login, "" if it did not
	newer bool            // a login of a former configuration has seen what wasNewer is about
	guess *lockout.Guess  // of the login under way, nil if it counts as none

	heard map[Protocol]heard // in this walk
}

// session is a login that stands.
type session struct {
	transport.Session
	over      *openTransport
	http      *httpwire.Client
	expires   time.Time // zero if the plug did not say
	outOfStep bool      // the last request got no answer, or none that can be opened
}

// RoundTrip implements [transport.Session]. What answers is the plug, so that an
// answer that is no HTTP is a damaged one.
func (s *session) RoundTrip(ctx context.Context, request []byte) ([]byte, error) {
	plain, err := s.Session.RoundTrip(ctx, request)
	if err != nil && reasonOf(err) == NotAPlug {
		err = fmt.Errorf("%w: %w", plugerr.ErrBadReply, err)
	}
	if err != nil && s.http.Silent() {
		err = plugerr.Unanswered(err)
	}
	answered := err == nil || errors.Is(err, plugerr.ErrSessionLost) || plugerr.IsNotAReply(err) ||
		isType[*plugerr.CodeError](err) || isType[*httpwire.StatusError](err)
	s.outOfStep = !answered
	return plain, err
}

// OldestFirmware reports what the transport knows of that.
func (s *session) OldestFirmware() bool {
	o, ok := s.Session.(transport.OldestFirmware)
	return ok && o.OldestFirmware()
}

func newLogin(cfg Config, b *budget.Budget) *login {
	l := &login{cfg: cfg, transports: openTransports()}
	l.live.Store(Protocol(""))
	opts := httpwire.Options{
		Address: cfg.Address, DialContext: cfg.DialContext, Logger: cfg.Logger, Budget: b,
		RateLimited: func() { cfg.Guard.rules.Cooldown.Record(cfg.Now()) },
	}
	if exchange := cfg.Trace.Exchange; exchange != nil {
		opts.Observe = func(r httpwire.Request, took time.Duration) { exchange(Exchange{r.Protocol, r.Phase, r.Step, took}) }
	}
	l.link = transport.Link{
		Address: cfg.Address, HTTP: httpwire.NewClient(opts), AcceptUnsigned: cfg.SkipReplyVerification,
		Attempt: l.checkAttempt, Prove: l.prove, Logger: cfg.Logger, Now: cfg.Now,
	}
	return l
}

// begin begins a conversation. By then another plug may have the address, so that a login
// needs an offer of its own: what a plug has refused must not be tried on it again.
func (l *login) begin() {
	l.link.HTTP.Begin()
	l.offer, l.rest.logins = nil, 0
}

// standing returns the protocol of the session that stands, "" without one. It may
// be called at any time.
func (l *login) standing() Protocol { return l.live.Load().(Protocol) }

// protocol returns what the plug spoke last, "" if that is not known.
func (l *login) protocol() Protocol {
	if l.last == nil {
		return ""
	}
	return l.last.Protocol()
}

// ensure returns the session that stands if it has time left, or logs in.
func (l *login) ensure(ctx context.Context) (*session, error) {
	l.cfg.Guard.rules.Use()
	if s := l.session; s != nil && (s.expires.IsZero() || l.cfg.Now().Before(s.expires)) {
		return s, nil
	}
	l.drop()
	s, err := l.logIn(ctx)
	if err != nil {
		return nil, err
	}
	if life := s.Lifetime(); life > 0 { // plugs' clocks drift, so renew a little early
		s.expires = l.cfg.Now().Add(life - min(life/2, time.Minute))
	}
	l.session, l.last = s, s.over
	l.rest.loggedIn()
	l.live.Store(s.over.Protocol())
	l.cfg.Logger.DebugContext(ctx, "Logged in", "protocol", s.over.Protocol(), "lifetime", s.Lifetime())
	if l.cfg.Trace.Login != nil {
		l.cfg.Trace.Login(s.over.Protocol())
	}
	return s, nil
}

// lose drops a session that the plug no longer honours, if there is one: the
// login itself may have gone wrong.
func (l *login) lose(ctx context.Context, err error) {
	l.cfg.Logger.DebugContext(ctx, "Logging in again", "err", err)
	if l.session != nil && l.cfg.Trace.SessionLost != nil && errors.Is(err, plugerr.ErrSessionLost) {
		l.cfg.Trace.SessionLost(l.session.over.Protocol())
	}
	l.drop()
}

func (l *login) drop() {
	l.session = nil
	l.live.Store(Protocol(""))
}

// ended records the result of a conversation that began at a time. A session that
// may be out of step is dropped: a request got no answer, or none that can be read.
// Other sessions that have failed do not count as standing. The next read tries
// them once more, which costs less than a login. So it does while no login is tried,
// with any session: the plug's answer shows whether it has been restarted.
func (l *login) ended(err error, began time.Time) {
	l.rest.ended(err, l.cfg.Now())
	switch {
	case err == nil:
		l.live.Store(l.session.over.Protocol())
		l.cfg.Guard.rules.Cooldown.End(began)
	case l.session != nil && l.session.over.inStep && l.session.outOfStep && l.rest.Cause() == nil:
		l.drop()
	case wantsLogin(err):
		l.live.Store(Protocol(""))
	}
}

// wantsLogin reports whether an error is one that a new login may mend.
func wantsLogin(err error) bool {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.again
	}
	for _, mended := range []error{plugerr.ErrSessionLost, plugerr.ErrBadReply, plugerr.ErrRefused, plugerr.ErrOutOfSync, plugerr.ErrReplyTimeout} {
		if errors.Is(err, mended) {
			return true
		}
	}
	if status, ok := errors.AsType[*httpwire.StatusError](err); ok {
		return status.Status != http.StatusTooManyRequests
	}
	code, ok := errors.AsType[*plugerr.CodeError](err)
	return ok && code.Code == plugerr.CodeUnknownTransport // updated to a newer protocol
}
