// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/tpap"
)

const (
	// maxExchanges is how many HTTP exchanges one read may take, come what may;
	// strips have more, see stripExchanges.
	maxExchanges = 8
	// maxIdle is how long a connection is kept that nobody uses: a plug has few.
	maxIdle = 2 * time.Minute
)

// session is a login, over whichever protocol.
type session struct {
	conversation
	protocol Protocol
	expires  time.Time // zero if the plug did not say
}

// conversation carries JSON requests; the transports' sessions implement it.
type conversation interface {
	RoundTrip(ctx context.Context, request []byte) ([]byte, error)
	Lifetime() time.Duration // 0 if the plug did not say
}

// WithLastWaiter returns a context for [Device.Read] whose callers have left at a time,
// although the read may go on until the deadline of ctx: what is lost is then
// asked for again while they are there. The time may become later during the
// read.
func WithLastWaiter(ctx context.Context, at func() time.Time) context.Context {
	return httpwire.WithLastWaiter(ctx, at)
}

// Read asks the plug for everything there is to know, logging in if need be.
// The error is an [*Error]. ctx bounds the whole of it, waiting for another
// caller's read included.
func (d *Device) Read(ctx context.Context) (Reading, error) {
	var reading Reading
	err := d.converse(ctx, func(ctx context.Context) (err error) {
		reading, err = d.read(ctx)
		return err
	})
	if err != nil {
		return Reading{}, err
	}
	return reading, nil
}

// converse waits for its turn, and lets ask talk to the plug over a session. The
// error is an [*Error].
func (d *Device) converse(ctx context.Context, ask func(context.Context) error) error {
	select {
	case d.busy <- struct{}{}:
	case <-ctx.Done():
		return newError(d.cfg.Address, "", ctx.Err())
	}
	defer func() { <-d.busy }()
	if err := d.askHealing(ctx, ask); err != nil {
		return newError(d.cfg.Address, d.last, err)
	}
	return nil
}

// askHealing asks, and once more over a new login if that may mend what went
// wrong. A session that is lost twice is somebody else's doing, and not fought
// over. d is busy.
func (d *Device) askHealing(ctx context.Context, ask func(context.Context) error) error {
	if err := d.takeOver(ctx); err != nil {
		return err
	}
	if err := d.cfg.Guard.rest.check(d.cfg.Now()); err != nil {
		return err
	}
	began := d.cfg.Now()
	d.wire.Begin(maxExchanges)
	d.granted = 0
	d.learnt.begin()
	defer func() {
		if d.wire.Left() < maxExchanges+d.granted { // else the connection was not needed
			d.idle.Reset(maxIdle)
		}
	}()

	err := d.askOnce(ctx, ask)
	if wantsLogin(err) && d.wire.Left() > 0 {
		d.lose(ctx, err)
		first := err
		if err = d.askOnce(ctx, ask); errors.Is(err, httpwire.ErrBudgetSpent) {
			err = first
		}
	}
	if err != nil {
		d.learnt.failed()
		d.leave(err)
		return err
	}
	if d.Protocol() == "" {
		d.live.Store(d.session.protocol)
	}
	d.cfg.Guard.rest.end(began)
	return nil
}

// askOnce asks over the session at hand, or over a new one.
func (d *Device) askOnce(ctx context.Context, ask func(context.Context) error) error {
	if err := d.ensureSession(ctx); err != nil {
		return err
	}
	err := ask(ctx)
	if refusal, ok := errors.AsType[*tpap.Refusal](err); ok { // it has locked itself meanwhile
		if err := d.cfg.Guard.acquire(ctx); err != nil {
			return err
		}
		defer d.cfg.Guard.release()
		return d.failed(tpapFailure(refusal))
	}
	return err
}

// ensureSession logs in unless there is a session that has time left.
func (d *Device) ensureSession(ctx context.Context) error {
	if s := d.session; s != nil && (s.expires.IsZero() || d.cfg.Now().Before(s.expires)) {
		return nil
	}
	d.drop()
	s, err := d.logIn(ctx)
	if err != nil {
		return err
	}
	if l := s.Lifetime(); l > 0 { // plugs' clocks drift, so renew a little early
		s.expires = d.cfg.Now().Add(l - min(l/2, time.Minute))
	}
	d.session, d.last = s, s.protocol
	d.learnt.loggedIn()
	d.live.Store(s.protocol)
	d.cfg.Logger.DebugContext(ctx, "Logged in", "protocol", s.protocol, "lifetime", s.Lifetime())
	if d.cfg.Trace.Login != nil {
		d.cfg.Trace.Login(s.protocol)
	}
	return nil
}

// roundTrip sends a request over the session. What answers is the plug, so that
// an answer that is no HTTP is a damaged one.
func (d *Device) roundTrip(ctx context.Context, request []byte) ([]byte, error) {
	plain, err := d.session.RoundTrip(ctx, request)
	if err != nil && reasonOf(err) == NotAPlug {
		err = fmt.Errorf("%w: %w", plugerr.ErrBadReply, err)
	}
	return plain, err
}

// lose drops a session that the plug no longer honours, if there is one: the
// login itself may have gone wrong.
func (d *Device) lose(ctx context.Context, err error) {
	d.cfg.Logger.DebugContext(ctx, "Logging in again", "err", err)
	if d.session != nil && d.cfg.Trace.SessionLost != nil && errors.Is(err, plugerr.ErrSessionLost) {
		d.cfg.Trace.SessionLost(d.session.protocol)
	}
	d.drop()
}

// leave drops a TPAP session that nobody knows to be in step any more, since a
// request got no answer, or none that can be read. Other sessions that have
// failed are tried once more by the next read, which costs less than a login,
// but do not count as standing.
func (d *Device) leave(err error) {
	answered := errors.Is(err, plugerr.ErrSessionLost) || isType[*plugerr.CodeError](err) || isType[*httpwire.StatusError](err)
	switch {
	case d.session != nil && d.session.protocol == TPAP && !answered:
		d.drop()
	case wantsLogin(err):
		d.live.Store(Protocol(""))
	}
}

func (d *Device) drop() {
	d.session = nil
	d.live.Store(Protocol(""))
}

// tooMany notes that the plug wants fewer requests.
func (d *Device) tooMany() { d.cfg.Guard.rest.extend(d.cfg.Now()) }

// hangUp gives up the connection, and nothing else, of a plug that is not being
// read.
func (d *Device) hangUp() {
	select {
	case d.busy <- struct{}{}:
		d.wire.Close()
		<-d.busy
	default: // somebody reads, or has been told to wait
		d.idle.Reset(maxIdle)
	}
}

// wantsLogin reports whether an error is one that a new login may mend.
func wantsLogin(err error) bool {
	if errors.Is(err, plugerr.ErrSessionLost) || errors.Is(err, plugerr.ErrBadReply) ||
		errors.Is(err, plugerr.ErrRefused) || errors.Is(err, plugerr.ErrOutOfSync) || errors.Is(err, plugerr.ErrReplyTimeout) {
		return true
	}
	if status, ok := errors.AsType[*httpwire.StatusError](err); ok {
		return status.Status != http.StatusTooManyRequests
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return f.again
	}
	code, ok := errors.AsType[*plugerr.CodeError](err)
	return ok && code.Code == plugerr.CodeUnknownTransport // updated to a newer protocol
}
