// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/klap"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/passthrough"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/wire"
)

// logIn makes a session over the strongest protocol that the plug speaks and
// the configuration allows, unless a rejected login must rest.
func (d *Device) logIn(ctx context.Context) (*session, error) {
	if err := d.memory.rejected.check(d.cfg.Now()); err != nil {
		return nil, err
	}
	s, err := d.negotiate(ctx)
	f, failed := errors.AsType[*failure](err)
	if failed && d.cfg.Trace.LoginFailed != nil && f.protocol != "" {
		d.cfg.Trace.LoginFailed(f.protocol, f.reason)
	}
	switch {
	case err == nil:
		d.memory.rejected = rejection{}
	case failed && (f.reason == BadCredentials || f.reason == Locked):
		d.memory.rejected.add(f, d.cfg.Now())
	}
	return s, err
}

// negotiate tries what is pinned, or what worked before, and asks the plug
// where neither is known or the plug has changed.
func (d *Device) negotiate(ctx context.Context) (*session, error) {
	switch d.cfg.Protocol {
	case TPAP:
		return nil, unsupportedTPAP("the target is pinned to it")
	case KLAP:
		return d.tryKLAP(ctx, saysNothing)
	case Passthrough:
		s, err := d.loginPassthrough(ctx)
		if errors.Is(err, errChanged) {
			err = &failure{
				reason: Unsupported, protocol: Passthrough, text: "the plug no longer speaks securePassthrough, to which the target is pinned",
				advice: "The plug's firmware has been updated: take `protocol: passthrough` out of the target's configuration.",
			}
		}
		return s, err
	}
	switch d.last {
	case KLAP:
		challenge, _, ok, err := klap.Handshake1(ctx, d.wire)
		if ok || err != nil {
			return d.answer(ctx, challenge, err)
		}
	case Passthrough:
		s, err := d.loginPassthrough(ctx)
		if !errors.Is(err, errChanged) {
			return s, err
		}
	}
	said, err := d.discover(ctx)
	if err != nil {
		return nil, err
	}
	return d.tryKLAP(ctx, said)
}

// announcement is what a plug says of itself when asked for TPAP.
type announcement int

const (
	saysNothing announcement = iota // an old plug, or none at all
	saysOlder                       // TPAP is unknown to it
	saysKLAP                        // TPAP is known to it, and KLAP to be used
	saysTPAP
)

// discover asks the plug, without credentials, whether it speaks TPAP.
func (d *Device) discover(ctx context.Context) (announcement, error) {
	reply, err := d.wire.Post(ctx, wire.Request{
		Protocol: string(TPAP), Step: "discover", Path: "/", JSON: true,
		Body: []byte(`{"method":"login","params":{"sub_method":"discover"}}`),
	})
	if errors.Is(err, wire.ErrBadReply) { // an oversized page of something else, which handshake1 will show
		return saysNothing, nil
	}
	if err != nil {
		return saysNothing, err
	}
	env, ok := wire.Decode(reply.Body)
	if reply.Status != http.StatusOK || !ok {
		return saysNothing, nil
	}
	switch env.Code() {
	case 0:
		var result struct {
			TPAP json.RawMessage `json:"tpap"`
		}
		d.memory.newer = true
		if json.Unmarshal(env.Result, &result) == nil && len(result.TPAP) > 0 && string(result.TPAP) != "null" {
			return saysTPAP, nil
		}
		return saysKLAP, nil
	case wire.CodeAccountLocked:
		d.memory.newer = true
		return saysNothing, &failure{reason: Locked, protocol: TPAP, wait: maxBackoff, text: "the plug refuses all logins for now (error_code -2101)"}
	case wire.CodeUnknownTransport:
		return saysOlder, nil
	}
	return saysNothing, nil
}

// tryKLAP logs in with KLAP, or finds out what the plug speaks instead.
func (d *Device) tryKLAP(ctx context.Context, said announcement) (*session, error) {
	challenge, answer, ok, err := klap.Handshake1(ctx, d.wire)
	if ok || err != nil {
		return d.answer(ctx, challenge, err)
	}
	refused := answer.Status == http.StatusForbidden
	switch {
	case said == saysTPAP:
		return nil, unsupportedTPAP("the plug announces it, and refuses KLAP")
	case refused && said != saysNothing:
		return nil, errAccessRefused
	case d.cfg.AllowPassthrough && d.cfg.Protocol == "" && !d.memory.newer && !refused:
		s, err := d.loginPassthrough(ctx)
		if errors.Is(err, errChanged) {
			err = unknownDialect(answer.Status)
		}
		return s, err
	}
	return nil, d.identify(ctx, answer.Status)
}

// identify finds out, without credentials, what answers at the address and does
// not speak KLAP. The result is never nil.
func (d *Device) identify(ctx context.Context, handshakeStatus int) error {
	reply, err := d.wire.Post(ctx, wire.Request{
		Protocol: string(Passthrough), Step: "component_nego", Path: "/app", JSON: true,
		Body: []byte(`{"method":"component_nego","params":null}`),
	})
	if err != nil {
		return err
	}
	if reply.Status == http.StatusTooManyRequests || reply.Status >= http.StatusInternalServerError {
		return &failure{reason: PlugError, text: (&wire.StatusError{Step: "component_nego", Status: reply.Status}).Error()}
	}
	env, ok := wire.Decode(reply.Body)
	newer := env.Code() == wire.CodeUnknownTransport
	switch {
	case reply.Status != http.StatusOK || !ok || env.Code() == 0:
		return notAPlug(reply)
	case newer && handshakeStatus == http.StatusForbidden:
		return errAccessRefused
	case newer:
		return unknownDialect(handshakeStatus)
	}
	return d.passthroughRefused()
}

// answer proves to the plug that we know its credentials, once it has proved
// the same to us.
func (d *Device) answer(ctx context.Context, ch klap.Challenge, err error) (*session, error) {
	if err != nil {
		return nil, err
	}
	d.memory.newer = true
	if !ch.Proves(klap.V2, d.auth) {
		return nil, diagnose(ch, d.cfg.Credentials)
	}
	s, err := ch.Handshake2(ctx, d.wire, d.auth, !d.cfg.SkipReplyVerification)
	if status, ok := errors.AsType[*wire.StatusError](err); ok && status.Status == http.StatusForbidden {
		return nil, errAccessRefused // not the password: the plug has proved to know the same one
	}
	if err != nil {
		return nil, err
	}
	return &session{conversation: s, protocol: KLAP}, nil
}

// loginPassthrough logs in with securePassthrough, if that is allowed. The
// hashed login comes first; the one in clear is only for a plug that refuses
// it and has never taken it. errChanged says that the plug speaks something
// newer.
func (d *Device) loginPassthrough(ctx context.Context) (*session, error) {
	if !d.cfg.AllowPassthrough || d.memory.newer {
		return nil, d.passthroughRefused()
	}
	versions := []passthrough.LoginVersion{passthrough.LoginHashed, passthrough.LoginClear}
	if d.memory.loginVer != 0 {
		versions = []passthrough.LoginVersion{d.memory.loginVer}
	}
	var refusal error
	for _, v := range versions {
		s, answer, ok, err := passthrough.Handshake(ctx, d.wire) // once per login: plugs want that
		switch code, refused := errors.AsType[*wire.CodeError](err); {
		case refused && code.Code == wire.CodeUnknownTransport:
			d.memory.newer = true
			return nil, errChanged
		case err != nil:
			return nil, err
		case !ok:
			return nil, notAPlug(answer)
		}
		err = s.Login(ctx, v, d.cfg.Credentials.Username, string(d.cfg.Credentials.Password))
		if err == nil {
			d.memory.loginVer = v
			return &session{conversation: s, protocol: Passthrough}, nil
		}
		if code, ok := errors.AsType[*wire.CodeError](err); !ok || !rejectsLogin(code.Code) {
			return nil, err
		}
		refusal = err
	}
	return nil, &failure{reason: BadCredentials, protocol: Passthrough, text: refusal.Error()}
}

// rejectsLogin reports whether an error code of login_device speaks of the
// credentials or of their form; other codes are no reason to show the password.
func rejectsLogin(code int) bool {
	return code == wire.CodeLogin || code == wire.CodeLoginFailed || code == wire.CodeParams
}

// errChanged says that the plug no longer speaks what it did.
var errChanged = errors.New("the plug speaks another protocol now")

var errAccessRefused = &failure{reason: LocalAccessRefused, protocol: KLAP, text: "the plug refuses local clients (HTTP status 403)"}

func unsupportedTPAP(why string) error {
	return &failure{
		reason: Unsupported, protocol: TPAP, text: "the plug's protocol is TPAP: " + why,
		advice: "The plug's firmware (1.4 or later) speaks TPAP, which this version cannot. In the Tapo app open Me > Third-Party Services > " +
			"Third-Party Compatibility and switch it on (off, a minute, and on again if it is on): the plug then speaks KLAP.",
	}
}

func unknownDialect(status int) error {
	return &failure{
		reason: Unsupported,
		text:   fmt.Sprintf("the plug wants a newer protocol than securePassthrough (error_code 1003), but answered KLAP with HTTP status %d", status),
	}
}

func notAPlug(reply wire.Reply) error {
	what := "something that is not a plug's JSON"
	if wire.IsHTML(reply.Body) {
		what = "a web page"
	}
	return &failure{reason: NotAPlug, text: fmt.Sprintf("the host answers with %s (HTTP status %d)", what, reply.Status)}
}

func (d *Device) passthroughRefused() error {
	f := &failure{reason: PassthroughNotAllowed, protocol: Passthrough, text: "the plug speaks securePassthrough only, which is not allowed for it"}
	switch {
	case d.memory.newer:
		f.text = "the plug has been seen to speak a newer protocol, and is not talked down to securePassthrough"
		f.advice = "Whoever answers now does not speak what the plug spoke before. If you have put an older plug at this address, restart the exporter."
	case d.cfg.Protocol == KLAP:
		f.text = "the target is pinned to KLAP, but the plug speaks securePassthrough"
	}
	return f
}
