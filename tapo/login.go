// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/klap"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/tpap"
)

// logIn makes a session over the strongest protocol that the plug speaks and
// the configuration allows, unless a rejected login must rest.
func (d *Device) logIn(ctx context.Context) (*session, error) {
	if err := d.cfg.Guard.acquire(ctx); err != nil {
		return nil, err
	}
	defer d.cfg.Guard.release()
	if err := d.mayAsk(); err != nil {
		return nil, err
	}
	if err := d.memory.rejected.check(d.cfg.Now()); err != nil {
		return nil, err
	}
	s, err := d.negotiate(ctx)
	if err != nil {
		return nil, d.failed(err)
	}
	d.memory.rejected = rejection{}
	if s.protocol == TPAP {
		d.cfg.Guard.succeeded()
	}
	return s, nil
}

// lookAgain is how often a plug that has refused our logins over TPAP is asked
// whether it speaks KLAP by now, with which there is nothing to lose.
const lookAgain = 30 * time.Minute

// mayAsk returns why the plug may not even be asked what it speaks. Whether it
// may be logged in to is asked again in loginTPAP.
func (d *Device) mayAsk() error {
	now := d.cfg.Now()
	f := d.cfg.Guard.check(d.cfg.Credentials, now)
	switch {
	case f == nil || d.cfg.Protocol == KLAP || d.cfg.Protocol == Passthrough:
		return nil
	case d.cfg.Guard.waiting(now) || now.Before(d.looked.Add(lookAgain)):
		return f
	}
	d.looked, d.last = now, ""
	return nil
}

// failed notes a login that failed, so that the next one comes when it may.
func (d *Device) failed(err error) error {
	if d.last == TPAP {
		d.last = "" // begin with the question that costs no attempt: the plug may have changed
	}
	f, ok := errors.AsType[*failure](err)
	if !ok || f.reason == LoginBackoff { // which was no login
		return err
	}
	d.looked = d.cfg.Now()
	d.cfg.Guard.note(d.cfg.Credentials, f, d.looked)
	if f.reason == BadCredentials && !f.outcomeUnknown {
		d.memory.rejected.add(f, d.looked)
	}
	if d.cfg.Trace.LoginFailed != nil && f.protocol != "" {
		d.cfg.Trace.LoginFailed(f.protocol, f.reason)
	}
	return err
}

// negotiate tries what is pinned, or what worked before, and asks the plug
// where neither is known or the plug has changed.
func (d *Device) negotiate(ctx context.Context) (*session, error) {
	if d.last == TPAP {
		s, err := d.loginTPAP(ctx, d.memory.announced)
		if !mayHaveChanged(err) {
			return s, err
		}
	}
	d.wire.Use(httpwire.Endpoint{Address: d.cfg.Address})
	if d.cfg.Protocol != "" {
		return d.pinned(ctx)
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
	speaks, announced, err := d.discover(ctx)
	if speaks != tpap.SpeaksTPAP {
		if err != nil {
			return nil, err
		}
		return d.tryKLAP(ctx, speaks)
	}
	var s *session
	if err == nil {
		s, err = d.loginTPAP(ctx, announced)
	}
	if mayHaveChanged(err) || errors.Is(err, plugerr.ErrBadReply) {
		return d.lastResort(ctx, err)
	}
	return s, err
}

// mayHaveChanged reports whether a TPAP login went wrong in a way that asking the
// plug again, or KLAP, may mend, without an attempt that the plug has counted.
func mayHaveChanged(err error) bool {
	f, failed := errors.AsType[*failure](err)
	return errors.Is(err, tpap.ErrOther) || failed && !f.outcomeUnknown && (f.reason == PlugError || f.reason == Unsupported)
}

// pinned logs in with the protocol that the configuration names.
func (d *Device) pinned(ctx context.Context) (*session, error) {
	switch d.cfg.Protocol {
	case TPAP:
		speaks, announced, err := d.discover(ctx)
		switch {
		case err != nil:
			return nil, err
		case speaks == tpap.SpeaksTPAP:
			return d.loginTPAP(ctx, announced)
		case speaks == tpap.SpeaksNothing, speaks == tpap.SpeaksGarbled:
			return nil, d.identify(ctx, httpwire.Reply{})
		}
		return nil, wronglyPinned(TPAP)
	case Passthrough:
		s, err := d.loginPassthrough(ctx)
		if errors.Is(err, errChanged) {
			err = wronglyPinned(Passthrough)
		}
		return s, err
	default:
		return d.tryKLAP(ctx, tpap.SpeaksNothing)
	}
}

// lastResort tries KLAP on a plug that announces TPAP, with which we get no
// further for a reason why: some answer KLAP all the same.
func (d *Device) lastResort(ctx context.Context, why error) (*session, error) {
	d.wire.Use(httpwire.Endpoint{Address: d.cfg.Address})
	challenge, _, ok, err := klap.Handshake1(ctx, d.wire)
	if ok || err != nil {
		return d.answer(ctx, challenge, err)
	}
	return nil, why
}

// tryKLAP logs in with KLAP, or finds out what the plug speaks instead. It is
// given what the plug said of itself.
func (d *Device) tryKLAP(ctx context.Context, speaks tpap.Speaks) (*session, error) {
	challenge, answer, ok, err := klap.Handshake1(ctx, d.wire)
	if ok || err != nil {
		return d.answer(ctx, challenge, err)
	}
	refused := answer.Status == http.StatusForbidden
	if refused && d.cfg.Protocol == KLAP {
		if speaks, _, err = d.discover(ctx); speaks == tpap.SpeaksTPAP {
			return nil, wronglyPinned(KLAP)
		} else if err != nil {
			return nil, err
		}
	}
	switch {
	case refused && speaks == tpap.SpeaksGarbled: // it may have offered TPAP
		return nil, fmt.Errorf("discover: %w", plugerr.ErrBadReply)
	case refused && speaks != tpap.SpeaksNothing:
		return nil, errAccessRefused
	case d.cfg.AllowPassthrough && d.cfg.Protocol == "" && !d.memory.newer && !refused:
		s, err := d.loginPassthrough(ctx)
		if errors.Is(err, errChanged) {
			err = unknownDialect(answer)
		}
		return s, err
	}
	return nil, d.identify(ctx, answer)
}

// identify finds out, without credentials, what answers at the address and has
// answered handshake1 not as KLAP does. The result is never nil.
func (d *Device) identify(ctx context.Context, handshake1 httpwire.Reply) error {
	reply, err := d.wire.Post(ctx, httpwire.Request{
		Protocol: Passthrough, Phase: PhaseAsk, Step: "component_nego", Path: "/app", JSON: true,
		Body: []byte(`{"method":"component_nego","params":null}`),
	})
	if err != nil {
		return err
	}
	if reply.Status >= http.StatusInternalServerError && !httpwire.IsHTML(reply.Body) {
		return &failure{reason: PlugError, text: (&httpwire.StatusError{Step: "component_nego", Status: reply.Status}).Error()}
	}
	env, ok := lenient.Decode(reply.Body)
	newer := env.Code() == plugerr.CodeUnknownTransport
	switch {
	case reply.Status != http.StatusOK || !ok || env.Code() == 0:
		return notAPlug(reply)
	case newer && handshake1.Status == http.StatusForbidden:
		return accessRefusedOnce() // it may have offered TPAP, in words that did not arrive
	case newer:
		return unknownDialect(handshake1)
	}
	return d.passthroughRefused()
}

// answer proves to the plug that we know its credentials, once it has proved
// the same to us.
func (d *Device) answer(ctx context.Context, ch klap.Challenge, err error) (*session, error) {
	if err != nil {
		return nil, err
	}
	d.memory.newer, d.last = true, KLAP
	if !ch.Proves(klap.V2, d.auth) {
		return nil, diagnose(ch, d.cfg.Credentials)
	}
	s, err := ch.Handshake2(ctx, d.wire, d.auth, !d.cfg.SkipReplyVerification)
	if status, ok := errors.AsType[*httpwire.StatusError](err); ok && status.Status == http.StatusForbidden {
		// Not the password: the plug has proved to know the same one. Perhaps
		// another client's handshake came between.
		return nil, accessRefusedOnce()
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
		switch code, refused := errors.AsType[*plugerr.CodeError](err); {
		case refused && code.Code == plugerr.CodeUnknownTransport:
			return nil, errChanged
		case err != nil:
			return nil, err
		case !ok && answer.Status >= http.StatusInternalServerError:
			return nil, &httpwire.StatusError{Step: "handshake", Status: answer.Status}
		case !ok:
			return nil, notAPlug(answer)
		}
		d.last = Passthrough
		err = s.Login(ctx, v, d.cfg.Credentials.Username, string(d.cfg.Credentials.Password))
		if err == nil {
			d.memory.loginVer = v
			return &session{conversation: s, protocol: Passthrough}, nil
		}
		if code, ok := errors.AsType[*plugerr.CodeError](err); !ok || !rejectsLogin(code.Code) {
			return nil, err
		}
		refusal = err
	}
	return nil, &failure{reason: BadCredentials, protocol: Passthrough, text: refusal.Error()}
}

// rejectsLogin reports whether an error code of login_device speaks of the
// credentials or of their form; other codes are no reason to show the password.
func rejectsLogin(code int) bool {
	return code == plugerr.CodeLogin || code == plugerr.CodeLoginFailed || code == plugerr.CodeParams
}

// errChanged says that the plug no longer speaks what it did.
var errChanged = errors.New("the plug speaks another protocol now")

var errAccessRefused = &failure{
	reason: LocalAccessRefused, protocol: KLAP, text: "the plug refuses KLAP (HTTP status 403) and does not offer TPAP",
}

// accessRefusedOnce is errAccessRefused where it may go well the next time.
func accessRefusedOnce() error {
	f := *errAccessRefused
	f.again = true
	return &f
}

// wronglyPinned says that the plug does not speak what the configuration names.
func wronglyPinned(p Protocol) error {
	return &failure{
		reason: Unsupported, protocol: p, text: fmt.Sprintf("the plug does not speak %s, to which the target is pinned", p),
		advice: "The plug speaks another protocol, perhaps since an update of its firmware: take `protocol: " + string(p) + "` out of the target's configuration.",
	}
}

// unknownDialect is about a plug that wants a newer protocol than
// securePassthrough, but has answered handshake1 in a way of its own.
func unknownDialect(handshake1 httpwire.Reply) error {
	f := &failure{
		reason: Unsupported,
		text:   fmt.Sprintf("the plug wants a newer protocol than securePassthrough (error_code 1003), but answered KLAP with HTTP status %d", handshake1.Status),
	}
	switch {
	case handshake1.Status >= http.StatusInternalServerError:
		f.reason, f.again = PlugError, true
	case handshake1.Status == http.StatusOK && !json.Valid(handshake1.Body) && !httpwire.IsHTML(handshake1.Body):
		f.reason, f.again = BadReply, true
		f.text = "handshake1: a reply of another size than KLAP's"
	}
	return f
}

func notAPlug(reply httpwire.Reply) error {
	what := "something that is not a plug's JSON"
	if httpwire.IsHTML(reply.Body) {
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
	case d.cfg.MAC != "":
		f.advice = "The plug's old firmware speaks securePassthrough only, which gives your account's password to whoever answers, and anybody can answer for a plug that is " +
			"searched for. Update the firmware in the Tapo app, or list the plug with its address instead of its mac and set allow_passthrough, after reading docs/security.md."
	case d.cfg.Protocol == KLAP, d.cfg.Protocol == TPAP:
		f.text = fmt.Sprintf("the target is pinned to %s, but the plug speaks securePassthrough", d.cfg.Protocol)
	}
	return f
}
