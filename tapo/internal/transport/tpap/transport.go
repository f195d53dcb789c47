// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// Transport implements [transport.Transport]. The zero value is ready.
type Transport struct {
	deriver Deriver
	last    Announcement // of the last login that succeeded
}

// Protocol implements [transport.Transport].
func (t *Transport) Protocol() plug.Protocol { return protocol }

// offer is an announcement that this package supports.
type offer struct{ announced Announcement }

func (o offer) MAC() string { return o.announced.MAC }

func (o offer) Reusable() bool { return true }

// Recognise implements [transport.Transport] with discover.
func (t *Transport) Recognise(ctx context.Context, l transport.Link) (transport.Offer, error) {
	speaks, a, reply, err := Ask(ctx, l.HTTP)
	switch {
	case speaks == SpeaksGarbled:
		return nil, &transport.NotSpoken{Garbled: true, Err: err, Reply: reply}
	case err != nil:
		return nil, explain(err)
	case speaks == SpeaksKLAP:
		return nil, &transport.NotSpoken{IsPlug: true, ProvesItself: true, Reply: reply}
	case speaks != SpeaksTPAP:
		return nil, &transport.NotSpoken{IsPlug: speaks == SpeaksOlder, Reply: reply}
	}
	if a.TLS < t.last.TLS { // anybody can forge this answer
		a.TLS, a.Port = t.last.TLS, t.last.Port
	}
	if _, err := a.PasscodeType(); err != nil {
		return nil, explain(err)
	}
	return offer{a}, nil
}

// Login implements [transport.Transport].
func (t *Transport) Login(ctx context.Context, l transport.Link, o transport.Offer, c plug.Credentials) (transport.Session, error) {
	a := o.(offer).announced
	if passcode, err := a.PasscodeType(); err == nil && passcode == DefaultPasscode {
		return nil, &transport.Rejected{Verdict: transport.Unowned, AttemptsLeft: -1, Err: errors.New("the plug asks for its set-up passcode instead of the account's password")}
	}
	if err := l.Attempt(ctx); err != nil {
		return nil, err
	}
	l.HTTP.Use(endpoint(l, a))
	challenge, err := Register(ctx, l.HTTP, a)
	if err != nil {
		return nil, explain(err)
	}
	s, err := t.prove(ctx, l, a, challenge, c)
	if err != nil {
		return nil, err
	}
	t.last = a
	return s, nil
}

// prove answers a challenge. The plug counts that as an attempt.
func (t *Transport) prove(ctx context.Context, l transport.Link, a Announcement, ch *Challenge, c plug.Credentials) (*Session, error) {
	account := Account{Username: c.Username, Password: string(c.Password), MAC: a.MAC}
	secret, credential, err := t.deriver.Secret(account, ch)
	if err != nil {
		return nil, explain(err)
	}
	if strings.ContainsFunc(account.Password, func(c rune) bool { return c >= 0x80 }) {
		l.Logger.WarnContext(ctx, "The password has characters beyond ASCII, of which nobody knows how a plug encodes them")
	}
	s, err := ch.Share(ctx, l.HTTP, secret, func() { l.Prove(ctx, way(a, credential)) })
	rejected := &transport.Rejected{Err: err, Counts: true, AttemptsLeft: -1, UsernameUnused: !credential.Username}
	if refusal, ok := errors.AsType[*Refusal](err); ok && !errors.Is(err, ErrOutcomeUnknown) {
		switch {
		case refusal.Locked(): // the host has the proof; one that only claims to be locked could guess passwords with it
			r := lockedBy(refusal)
			r.OutcomeUnknown = true
			return nil, r
		case refusal.Forgets():
			return nil, &transport.Rejected{Verdict: transport.Forgotten, Err: err, OutcomeUnknown: true, AttemptsLeft: -1}
		}
		rejected.AttemptsLeft = refusal.Remaining
		return nil, rejected
	}
	if errors.Is(err, ErrImpostor) {
		rejected.Verdict = transport.Impostor
		return nil, rejected
	}
	if err != nil {
		return nil, explain(err)
	}
	return s, nil
}

// way names what the plug has chosen for a login. Its texts are those of this package.
func way(a Announcement, c Credential) string {
	return strings.TrimSpace(fmt.Sprintf("tls %d port %d user_hash_type %d %s", a.TLS, a.Port, a.UserHashType, c.Scheme))
}

// endpoint returns the endpoint for logins. If the configured address has a port, such as
// that of a router that forwards it, the plug still announces 80, and the configured port
// is used.
func endpoint(l transport.Link, a Announcement) httpwire.Endpoint {
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil {
		return httpwire.Endpoint{Address: l.Address}
	}
	switch {
	case a.TLS == 0 && (a.Port == 0 || a.Port == 80):
	case a.Port == 0:
		port = "443"
	default:
		port = strconv.Itoa(a.Port)
	}
	return httpwire.Endpoint{Address: net.JoinHostPort(host, port), TLS: TLSConfig(a.TLS, l.Now)}
}

// explain converts an error of a login to one of package transport.
func explain(err error) error {
	if e, ok := errors.AsType[*UnsupportedError](err); ok {
		return &transport.Unsupported{What: "the plug speaks TPAP as this version does not: it announces " + e.What}
	}
	if errors.Is(err, ErrPasswordUnused) {
		return &transport.Rejected{Verdict: transport.Stale, Err: err, AttemptsLeft: -1}
	}
	if errors.Is(err, ErrOutcomeUnknown) {
		return &transport.Rejected{Verdict: transport.Unclear, Err: err, OutcomeUnknown: true, AttemptsLeft: -1}
	}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		switch {
		case refusal.Locked():
			return lockedBy(refusal)
		case refusal.Code == plugerr.CodeUnknownTransport:
			err = fmt.Errorf("%w: %w", ErrNotTPAP, &plugerr.CodeError{Step: refusal.Step, Code: refusal.Code})
		case refusal.Rejects():
			return &transport.Rejected{Err: refusal, Counts: true, AttemptsLeft: refusal.Remaining, BeforeProof: true}
		default:
			return &transport.Refused{Err: refusal}
		}
	}
	if errors.Is(err, ErrNotTPAP) {
		return &transport.NotSpoken{Err: err}
	}
	return err
}

// lockedBy returns the rejection by a plug that is locked.
func lockedBy(r *Refusal) *transport.Rejected {
	return &transport.Rejected{
		Verdict: transport.Locked, Lock: r.Lock, AttemptsLeft: -1,
		Err: fmt.Errorf("the plug refuses all logins for now (%s: error_code %d)", r.Step, r.Code),
	}
}
