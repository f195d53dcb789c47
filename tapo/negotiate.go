// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"errors"
	"net/http"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lockout"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
)

// logIn makes a session over the strongest transport that the plug speaks and
// the configuration allows, unless a login may not be tried now.
func (l *login) logIn(ctx context.Context) (*session, error) {
	guard := l.cfg.Guard.rules
	if err := guard.Acquire(ctx); err != nil {
		return nil, err
	}
	defer guard.Release()
	if err := l.checkAsk(); err != nil {
		return nil, err
	}
	if next, ok := l.backoff.Allow(l.cfg.Now()); !ok {
		return nil, backingOff(l.backoff.Cause(), next)
	}
	if err := l.resting(nil); err != nil {
		return nil, err
	}
	l.rest.logsIn(l.cfg.Now())
	if err := l.stillAtImpasse(ctx); err != nil {
		return nil, err
	}
	s, err := l.negotiate(ctx)
	l.enterImpasse(err)
	l.endGuess(err)
	if err != nil {
		return nil, l.recordFailure(err)
	}
	l.backoff = lockout.Backoff{}
	if s.over.provesItself {
		guard.LoggedIn()
	}
	if s.over.counts {
		guard.Succeeded(l.mac, l.cfg.Now())
	}
	return s, nil
}

// checkAsk returns why the plug may not even be asked what it speaks. A plug that has
// refused the credentials may be asked, which costs no attempt: it may be another one by
// now, or speak a transport in which no login is counted. Whether a counted login may be
// tried, checkAttempt checks right before it.
func (l *login) checkAsk() error {
	if pinned, ok := rowOf(l.cfg.Protocol); ok && !pinned.counts {
		return nil
	}
	if denied := l.cfg.Guard.rules.Waiting(l.cfg.Now()); denied != nil {
		return deniedLogin(denied)
	}
	return nil
}

// checkAttempt returns why no login may be tried that the plug counts.
func (l *login) checkAttempt(ctx context.Context) error {
	guard := l.cfg.Guard.rules
	guard.Refresh(ctx, l.cfg.Now())
	if denied := guard.Allow(l.mac, l.cfg.Credentials, l.cfg.Now()); denied != nil {
		return deniedLogin(denied)
	}
	if l.guess != nil || !l.guesses() {
		return nil
	}
	guess, err := l.takeGuess(ctx, countingProtocol(), l.cfg.Guesses.counted)
	l.guess = guess
	return err
}

// guesses reports whether a login counts as a guess.
func (l *login) guesses() bool {
	g := l.cfg.Guesses
	return g != nil && (!g.untilProven || !l.cfg.Guard.rules.Trusted())
}

// takeGuess spends a guess of a budget, or returns why there is none.
func (l *login) takeGuess(ctx context.Context, p Protocol, budget *lockout.Guesses) (*lockout.Guess, error) {
	guess, denied, err := budget.Take(ctx, l.cfg.Credentials, l.cfg.Now)
	if denied != nil {
		f := deniedLogin(denied)
		f.protocol = p
		return nil, f
	}
	return guess, err
}

// prove stores that a proof is about to be sent, in case its outcome stays unknown.
func (l *login) prove(ctx context.Context, way string) {
	l.cfg.Guard.rules.Prove(ctx, l.mac, way, l.cfg.Credentials, l.cfg.Now())
}

// endGuess ends the guess of a login that has ended with err.
func (l *login) endGuess(err error) {
	if l.guess == nil {
		return
	}
	f, ok := errors.AsType[*failure](err)
	l.guess.End(ok && f.rejected != nil && (f.rejected.Counts || f.rejected.OutcomeUnknown))
	l.guess = nil
}

// recordFailure records a login that failed, so that the next one comes when it may.
func (l *login) recordFailure(err error) error {
	f, ok := errors.AsType[*failure](err)
	if !ok || f.reason == LoginBackoff { // no login was tried
		return err
	}
	if r := f.rejected; r != nil {
		now := l.cfg.Now()
		l.cfg.Guard.rules.Record(l.mac, l.cfg.Credentials, r, f.cause(), now)
		if f.reason == BadCredentials && !r.OutcomeUnknown && !r.Counts { // else the guard decides
			l.backoff.Record(f, now)
		}
	}
	if l.cfg.Trace.LoginFailed != nil && f.protocol != "" {
		l.cfg.Trace.LoginFailed(f.protocol, f.reason)
	}
	return err
}

// recordLock records that the plug has locked itself while a session stood.
func (l *login) recordLock(ctx context.Context, r *transport.Rejected) error {
	guard := l.cfg.Guard.rules
	if err := guard.Acquire(ctx); err != nil {
		return err
	}
	defer guard.Release()
	return l.recordFailure(l.explain(l.last, r))
}

// negotiate logs in over what worked before, if anything did and the plug has not
// changed, and otherwise over the first transport of the list that the plug
// speaks and that it may be talked to in.
func (l *login) negotiate(ctx context.Context) (*session, error) {
	l.heard = map[Protocol]heard{}
	if s, err := l.asBefore(ctx); s != nil || err != nil {
		return s, err
	}
	declined := declines{}
	var first error
	for _, t := range l.transports {
		if !l.allows(t, declined) {
			continue
		}
		s, next, err := l.try(ctx, t, declined)
		if !next {
			return s, l.explain(t, err)
		}
		if first == nil && err != nil {
			first = l.explain(t, err)
		}
	}
	if first != nil {
		return nil, first
	}
	return l.askOnceMore(ctx, declined, l.unrecognised(ctx, declined))
}

// askOnceMore asks a plug for TPAP again that refuses KLAP, as one does that speaks TPAP,
// and has replied to the first question as no plug does.
func (l *login) askOnceMore(ctx context.Context, declined declines, refusal error) (*session, error) {
	t := l.transports[0]
	if refusal != errAccessRefused || declined.of(TPAP).IsPlug || !l.allows(t, declined) { //nolint:errorlint // the very one
		return nil, refusal
	}
	s, next, err := l.try(ctx, t, declined)
	if next && err == nil {
		return nil, refusal
	}
	return s, l.explain(t, err)
}

// asBefore logs in over the transport of the last login. It returns nothing where
// there was none, or the plug has changed.
func (l *login) asBefore(ctx context.Context) (*session, error) {
	t := l.last
	switch {
	case t == nil || l.offer == nil && (l.cfg.Protocol != "" || t == l.transports[0]) || !l.allows(t, nil):
		return nil, nil // the walk begins with it, or must not have it
	case l.offer != nil:
		s, err := l.accept(ctx, t, l.offer)
		if mayHaveChanged(err) {
			return nil, nil
		}
		return s, l.explain(t, err)
	}
	offer, err := l.recognise(ctx, t)
	if isType[*transport.NotSpoken](err) {
		return nil, nil
	}
	var s *session
	if err == nil {
		if s, err = l.accept(ctx, t, offer); isType[*transport.NotSpoken](err) {
			return nil, nil
		}
	}
	return s, l.explain(t, err)
}

// declines are the replies of a plug to the question for transports that it does
// not speak, by their protocols.
type declines map[Protocol]*transport.NotSpoken

// refused reports whether the plug refuses KLAP, as it does while
// Third-Party Compatibility is off.
func (d declines) refused() bool { return d.of(KLAP).Reply.Status == http.StatusForbidden }

// allows reports whether a plug may be talked to over a transport.
func (l *login) allows(t *openTransport, declined declines) bool {
	pinned := l.cfg.Protocol
	switch {
	case pinned != "" && pinned != t.Protocol():
		return false
	case t.provesItself:
		return true
	}
	return l.cfg.AllowPassthrough && !l.wasNewer() && (pinned != "" || !declined.refused())
}

// try logs in over a transport; next says that the one after it is to be tried.
// If the plug does not speak it, that is recorded in declined, and is no error.
func (l *login) try(ctx context.Context, t *openTransport, declined declines) (s *session, next bool, err error) {
	offer, err := l.recognise(ctx, t)
	if decline, ok := errors.AsType[*transport.NotSpoken](err); ok {
		declined[t.Protocol()] = decline
		return nil, true, nil
	}
	if err != nil {
		return nil, isType[*transport.Unsupported](err), err
	}
	s, err = l.accept(ctx, t, offer)
	if offer.Reusable() {
		// An announcement, which proves nothing: some plugs announce TPAP, and answer
		// KLAP all the same.
		damaged := errors.Is(err, plugerr.ErrBadReply) && !isType[*transport.Rejected](err)
		return s, mayHaveChanged(err) || damaged, err
	}
	if decline, ok := errors.AsType[*transport.NotSpoken](err); ok {
		declined[t.Protocol()] = decline
		return nil, true, nil
	}
	return s, false, err
}

// recognise asks the plug whether it speaks a transport.
func (l *login) recognise(ctx context.Context, t *openTransport) (transport.Offer, error) {
	l.link.HTTP.Use(httpwire.Endpoint{Address: l.cfg.Address})
	offer, err := t.Recognise(ctx, l.link)
	l.heard[t.Protocol()] = hear(offer, err)
	if l.isNewer(t, err) {
		l.cfg.Guard.rules.RecordNewer(ctx, l.cfg.Now())
	}
	if err == nil && !offer.Reusable() {
		l.last, l.offer = t, nil // whatever becomes of the login
	}
	return offer, err
}

// wasNewer reports whether the plug has ever spoken a transport in which plugs prove
// themselves. Then it is not talked down to another.
func (l *login) wasNewer() bool { return l.newer || l.cfg.Guard.rules.Newer() }

// isNewer reports whether a plug has answered the question for a transport, with err, as
// only one does in which plugs prove themselves, and securePassthrough could be used on it
// otherwise.
func (l *login) isNewer(t *openTransport, err error) bool {
	if l.cfg.MAC != "" || l.cfg.Guesses != nil {
		return false
	}
	if decline, ok := errors.AsType[*transport.NotSpoken](err); ok {
		return decline.ProvesItself
	}
	return t.provesItself && (err == nil || isType[*transport.Unsupported](err) || isType[*transport.Rejected](err))
}

// accept logs in to a plug that has made an offer.
func (l *login) accept(ctx context.Context, t *openTransport, offer transport.Offer) (*session, error) {
	if mac := offer.MAC(); mac != "" && !l.isWanted(mac) { // before it counts a wrong password
		return nil, l.anotherPlug(mac)
	}
	l.mac = ParseMAC(offer.MAC())
	s, err := l.logInOver(ctx, t, offer)
	if refused, ok := errors.AsType[*transport.Refused](err); ok && refused.Here {
		l.rest.refused()
	}
	if err != nil {
		return nil, err
	}
	l.offer = nil
	if offer.Reusable() {
		l.offer = offer
	}
	return &session{Session: s, over: t, http: l.link.HTTP}, nil
}

// logInOver logs in to a plug that has made an offer. A host that does not count logins gets
// to know in one whether a guess of its own was right. Where a plug has proved itself, it may
// get a new password later than the configuration, so that logins there count as no guesses.
func (l *login) logInOver(ctx context.Context, t *openTransport, offer transport.Offer) (transport.Session, error) {
	if t.counts || !l.guesses() || l.cfg.Guard.rules.Trusted() { // checkAttempt takes the guess of one that counts
		return t.Login(ctx, l.link, offer, l.cfg.Credentials)
	}
	guess, err := l.takeGuess(ctx, t.Protocol(), l.cfg.Guesses.uncounted)
	if err != nil {
		return nil, err
	}
	s, err := t.Login(ctx, l.link, offer, l.cfg.Credentials)
	guess.End(isType[*transport.Rejected](err))
	return s, err
}

// mayHaveChanged reports whether a login went wrong in a way that asking the plug
// again, or another transport, may mend, without an attempt that the plug has
// counted.
func mayHaveChanged(err error) bool {
	return isType[*transport.NotSpoken](err) || isType[*transport.Unsupported](err) || isType[*transport.Refused](err)
}
