// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"errors"
	"fmt"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lockout"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/smart"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
)

// explain gives an error of a transport its reason, where it has one of its own.
func (l *login) explain(t *openTransport, err error) error {
	if err == nil || isType[*failure](err) {
		return err
	}
	f := &failure{}
	if t != nil {
		f.protocol = t.Protocol()
	}
	if r, ok := errors.AsType[*transport.Rejected](err); ok {
		return l.explainRejected(f, r)
	}
	if u, ok := errors.AsType[*transport.Unsupported](err); ok {
		f.reason, f.text, f.advice = Unsupported, u.What, u.Advice
		return f
	}
	if r, ok := errors.AsType[*transport.Refused](err); ok {
		if r.Here {
			return accessRefusedOnce()
		}
		f.reason, f.text = PlugError, r.Error()
		return f
	}
	if n, ok := errors.AsType[*transport.NotAPlug](err); ok {
		return &failure{reason: NotAPlug, text: n.Error()}
	}
	if errors.Is(err, transport.ErrCertificate) {
		f.reason, f.text = NotAPlug, err.Error()
		f.advice = "The device announces a certificate of TP-Link's and shows another one. Something else may pose as the plug at this address."
		return f
	}
	return err
}

// explainRejected completes the failure of a login that the plug rejected, or may
// have.
func (l *login) explainRejected(f *failure, r *transport.Rejected) error {
	f.rejected, f.text = r, r.Error()
	if r.Counts && r.AttemptsLeft >= 0 {
		f.attemptsLeft = new(r.AttemptsLeft)
	}
	switch r.Verdict {
	case transport.Locked:
		f.reason = Locked
	case transport.Unclear:
		f.reason = reasonOf(r.Err)
	case transport.Impostor:
		f.reason, f.advice = BadReply, impostorAdvice
	case transport.Forgotten, transport.Unowned, transport.Stale, transport.Wrong:
		f.reason = BadCredentials
		f.text, f.advice = adviseRejected(r, l.cfg.Credentials)
	}
	return f
}

// deniedLogin means that a login is not tried that the plug would count.
func deniedLogin(d *lockout.Denied) *failure {
	f := &failure{reason: LoginBackoff, protocol: countingProtocol(), text: d.Text, advice: d.Advice}
	if d.Locked {
		f.reason = Locked
	}
	if d.AttemptsLeft >= 0 {
		f.attemptsLeft = new(d.AttemptsLeft)
	}
	return f
}

// backingOff says that a login is not tried before a time, since the last one
// failed.
func backingOff(cause error, next time.Time) error {
	at := next.Format(time.RFC3339)
	f := &failure{reason: LoginBackoff, text: fmt.Sprintf("not tried again before %s: %v", at, cause)}
	if last, ok := errors.AsType[*failure](cause); ok {
		f.protocol, f.attemptsLeft, f.advice = last.protocol, last.attemptsLeft, last.advise()
	}
	if row, known := rowOf(f.protocol); !known || !row.counts { // where it counts, it is the plug that wants correcting
		f.advice += " Correct the credentials and reload, which tries at once."
	}
	f.advice += " The next try is at " + at + "."
	return f
}

// coolingDown returns an error while the plug may not be asked anything.
func (l *login) coolingDown() error {
	until, ok := l.cfg.Guard.rules.Cooldown.Allow(l.cfg.Now())
	if ok {
		return nil
	}
	at := until.Format(time.RFC3339)
	return &failure{
		reason: PlugError, text: "not asked before " + at + ", since the plug has answered that it gets too many requests (HTTP status 429)",
		advice: tooManyAdvice + " The next try is at " + at + ".",
	}
}

// noHistory gives the reason why a plug has no history for us.
func noHistory(e *smart.HistoryError, p Protocol) *failure {
	f := &failure{reason: PlugError, protocol: p, advice: e.Advice, text: e.Error(), kind: e.Kind}
	if errors.Is(e.Kind, ErrNoHistory) {
		f.reason = Unsupported
	}
	return f
}
