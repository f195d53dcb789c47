// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/tpap"
)

// discover asks the plug, without credentials, whether it speaks TPAP. The
// error is a *failure with the reason Unsupported, beside SpeaksTPAP, where it
// speaks it in a way that this package cannot.
func (d *Device) discover(ctx context.Context) (tpap.Speaks, tpap.Announcement, error) {
	d.wire.Use(httpwire.Endpoint{Address: d.cfg.Address})
	speaks, announced, err := tpap.Ask(ctx, d.wire)
	d.memory.newer = d.memory.newer || speaks == tpap.SpeaksKLAP || speaks == tpap.SpeaksTPAP
	if seen := d.memory.announced; announced.TLS < seen.TLS { // anybody can forge this answer
		announced.TLS, announced.Port = seen.TLS, seen.Port
	}
	return speaks, announced, tpapFailure(err)
}

// loginTPAP logs in with TPAP, as the plug has announced. An error that wraps
// [tpap.ErrOther] says that it no longer speaks it.
func (d *Device) loginTPAP(ctx context.Context, a tpap.Announcement) (*session, error) {
	passcode, err := a.PasscodeType()
	if err != nil {
		return nil, tpapFailure(err)
	}
	if a.MAC != "" && !d.isWanted(a.MAC) { // before it counts a wrong password
		return nil, d.anotherPlug(a.MAC)
	}
	if passcode == tpap.DefaultPasscode && d.cfg.Credentials != (Credentials{}) {
		return nil, &failure{
			reason: BadCredentials, protocol: TPAP, text: "the plug asks for its set-up passcode instead of the account's password",
			advice: unboundAdvice,
		}
	}
	if f := d.cfg.Guard.check(d.cfg.Credentials, d.cfg.Now()); f != nil {
		return nil, f
	}
	d.wire.Use(d.endpoint(a))
	challenge, err := tpap.Register(ctx, d.wire, a)
	if err != nil {
		return nil, tpapFailure(err)
	}
	s, err := d.answerTPAP(ctx, a, challenge)
	if err != nil {
		return nil, tpapFailure(err)
	}
	d.memory.announced = a
	return &session{conversation: s, protocol: TPAP}, nil
}

// answerTPAP proves to the plug that we know the password, which is an attempt
// that it counts.
func (d *Device) answerTPAP(ctx context.Context, a tpap.Announcement, challenge *tpap.Challenge) (*tpap.Session, error) {
	account := tpap.Account{Username: d.cfg.Credentials.Username, Password: string(d.cfg.Credentials.Password), MAC: a.MAC}
	secret, credential, err := d.deriver.Secret(account, challenge)
	if err != nil {
		return nil, err
	}
	if credential.Password && !isASCII(account.Password) {
		d.cfg.Logger.WarnContext(ctx, "The password has characters beyond ASCII, of which nobody knows how a plug encodes them")
	}
	s, err := challenge.Share(ctx, d.wire, secret)
	if refusal, ok := errors.AsType[*tpap.Refusal](err); ok && !errors.Is(err, tpap.ErrOutcomeUnknown) {
		return nil, d.refusedTPAP(refusal, credential)
	}
	if errors.Is(err, tpap.ErrImpostor) {
		return nil, &failure{
			reason: BadReply, protocol: TPAP, text: err.Error(), final: true, attemptsLeft: -1,
			usernameUnused: !credential.Username, passwordUnused: !credential.Password,
			advice: "The plug accepted the password, but could not prove that it knows it. Something else may pose as the plug at this address: " +
				"look the plug's address up in the Tapo app. If it is the plug, restart it.",
		}
	}
	return s, err
}

// endpoint is where a plug wants to be logged in to. A plug whose address was
// given with a port of its own, for instance of a router that forwards it, says
// 80 all the same.
func (d *Device) endpoint(a tpap.Announcement) httpwire.Endpoint {
	host, port, err := net.SplitHostPort(d.cfg.Address)
	if err != nil {
		return httpwire.Endpoint{Address: d.cfg.Address}
	}
	switch {
	case a.TLS == 0 && (a.Port == 0 || a.Port == 80):
	case a.Port == 0:
		port = "443"
	default:
		port = strconv.Itoa(a.Port)
	}
	return httpwire.Endpoint{Address: net.JoinHostPort(host, port), TLS: tpap.TLSConfig(a.TLS, d.cfg.Now)}
}

// tpapFailure gives an error of a login its reason, where it has one of its own.
func tpapFailure(err error) error {
	if e, ok := errors.AsType[*tpap.UnsupportedError](err); ok {
		return &failure{reason: Unsupported, protocol: TPAP, text: "the plug speaks TPAP as this version does not: it announces " + e.What}
	}
	refusal, refused := errors.AsType[*tpap.Refusal](err)
	if errors.Is(err, tpap.ErrOutcomeUnknown) {
		f := &failure{reason: reasonOf(err), protocol: TPAP, text: err.Error(), outcomeUnknown: true}
		if refused {
			f.reason = PlugError
		}
		return f
	}
	if refused {
		switch {
		case refusal.Locked():
			return &failure{reason: Locked, protocol: TPAP, lock: refusal.Lock, text: lockedText(refusal)}
		case refusal.Code == plugerr.CodeUnknownTransport:
			return fmt.Errorf("%w: %w", tpap.ErrOther, &plugerr.CodeError{Step: refusal.Step, Code: refusal.Code})
		case refusal.Rejects():
			return &failure{reason: BadCredentials, protocol: TPAP, text: refusal.Error(), final: true, attemptsLeft: refusal.Remaining}
		}
		return &failure{reason: PlugError, protocol: TPAP, text: refusal.Error()}
	}
	if errors.Is(err, tpap.ErrCertificate) {
		return &failure{
			reason: NotAPlug, protocol: TPAP, text: err.Error(),
			advice: "The device announces a certificate of TP-Link's and shows another one. Something else may pose as the plug at this address.",
		}
	}
	return err
}

// refusedTPAP is what a plug makes of a proof that it does not accept.
func (d *Device) refusedTPAP(r *tpap.Refusal, c tpap.Credential) error {
	if r.Locked() { // it has had the proof all the same: a host that only says so might try passwords with it
		return &failure{reason: Locked, protocol: TPAP, lock: max(r.Lock, lockTime), outcomeUnknown: true, text: lockedText(r)}
	}
	if r.Forgets() {
		return &failure{
			reason: BadCredentials, protocol: TPAP, text: r.Error(), outcomeUnknown: true,
			advice: "The plug does not say that the password is wrong: it may have been restarted during the login, or another client's login came between.",
		}
	}
	f := &failure{
		reason: BadCredentials, protocol: TPAP, text: r.Error(), final: true, attemptsLeft: r.Remaining,
		usernameUnused: !c.Username, passwordUnused: !c.Password,
	}
	var advice strings.Builder
	switch {
	case !c.Password:
		advice.WriteString("The plug belongs to another account, or to one whose e-mail has changed: open it in the Tapo app, which offers to mend that.")
	case !c.Username:
		advice.WriteString("The password is not the one that the plug knows. The e-mail plays no part in this plug's login. " +
			"After a change of the account's password a plug keeps the old one until it has been online, or is added again in the app.")
	default:
		advice.WriteString(BadCredentials.Advice())
	}
	if c.Password && !isASCII(string(d.cfg.Credentials.Password)) {
		advice.WriteString(" The password has characters beyond ASCII, of which nobody knows how a plug encodes them: a password without them may help.")
	}
	f.advice = advice.String()
	return f
}

func lockedText(r *tpap.Refusal) string {
	return fmt.Sprintf("the plug refuses all logins for now (%s: error_code %d)", r.Step, r.Code)
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c >= 0x80 })
}
