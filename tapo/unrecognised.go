// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
)

// unrecognised says why there is no transport for a plug, by what it has answered
// to the question for each. The result is never nil.
func (l *login) unrecognised(ctx context.Context, declined declines) error {
	declinedTPAP, declinedKLAP := declined.of(TPAP), declined.of(KLAP)
	refused := declined.refused()
	switch l.cfg.Protocol {
	case Passthrough:
		if declined[Passthrough] == nil { // it was not asked
			return l.passthroughRefused()
		}
		return wronglyPinned(Passthrough)
	case TPAP:
		if declinedTPAP.Garbled {
			return declinedTPAP.Err
		}
		if declinedTPAP.IsPlug {
			return wronglyPinned(TPAP)
		}
	case KLAP:
		if refused {
			var err error
			if declinedTPAP, err = l.speaksTPAP(ctx); err != nil {
				return err
			}
		}
	}
	switch {
	case refused && declinedTPAP.Garbled: // it may have offered TPAP
		return declinedTPAP.Err
	case refused && declinedTPAP.IsPlug:
		return errAccessRefused
	case declined[Passthrough] != nil:
		return unknownTransport(declinedKLAP.Reply)
	}
	return l.classifyHost(ctx, declinedKLAP.Reply)
}

// of returns the reply to the question for a transport, an empty one if there is
// none.
func (d declines) of(p Protocol) transport.NotSpoken {
	if decline := d[p]; decline != nil {
		return *decline
	}
	return transport.NotSpoken{}
}

// speaksTPAP asks a plug that is pinned to KLAP and refuses it whether it speaks
// TPAP; if it does, that is the error.
func (l *login) speaksTPAP(ctx context.Context) (transport.NotSpoken, error) {
	for _, t := range l.transports {
		if t.Protocol() != TPAP {
			continue
		}
		_, err := l.recognise(ctx, t)
		decline, notSpoken := errors.AsType[*transport.NotSpoken](err)
		switch {
		case notSpoken:
			return *decline, nil
		case err == nil, isType[*transport.Unsupported](err), isType[*transport.Rejected](err):
			return transport.NotSpoken{}, wronglyPinned(KLAP)
		}
		return transport.NotSpoken{}, err
	}
	return transport.NotSpoken{}, nil
}

// classifyHost finds out, without credentials, what answers at the address and has
// answered handshake1 not as KLAP does. The result is never nil.
func (l *login) classifyHost(ctx context.Context, handshake1 httpwire.Reply) error {
	err := passthrough.Identify(ctx, l.link)
	switch status, failing := errors.AsType[*httpwire.StatusError](err); {
	case err == nil:
		return l.passthroughRefused()
	case failing && status.Status >= http.StatusInternalServerError:
		return &failure{reason: PlugError, text: status.Error()}
	case !isType[*transport.NotSpoken](err):
		return l.explain(nil, err)
	case handshake1.Status == http.StatusForbidden:
		return errAccessRefused
	}
	return unknownTransport(handshake1)
}

var errAccessRefused error = newAccessRefused()

func newAccessRefused() *failure {
	return &failure{reason: LocalAccessRefused, protocol: KLAP, text: "the plug refuses KLAP (HTTP status 403) and does not offer TPAP"}
}

// accessRefusedOnce is errAccessRefused where it may go well the next time.
func accessRefusedOnce() error {
	f := newAccessRefused()
	f.again = true
	return f
}

// wronglyPinned says that the plug does not speak what the configuration names.
func wronglyPinned(p Protocol) error {
	return &failure{
		reason: Unsupported, protocol: p, text: fmt.Sprintf("the plug does not speak %s, to which the target is pinned", p),
		advice: "The plug speaks another protocol, perhaps since an update of its firmware: take `protocol: " + string(p) + "` out of the target's configuration.",
	}
}

// unknownTransport is about a plug that wants a newer protocol than
// securePassthrough, but has answered handshake1 in a way of its own.
func unknownTransport(handshake1 httpwire.Reply) error {
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

func (l *login) passthroughRefused() error {
	f := &failure{reason: PassthroughNotAllowed, protocol: Passthrough, text: "the plug speaks securePassthrough only, which is not allowed for it"}
	switch {
	case l.wasNewer():
		f.text = "the plug has been seen to speak a newer protocol, and is not talked down to securePassthrough"
		f.advice = "Whoever answers now does not speak what the plug spoke before. If you have put an older plug at this address, " +
			`"Never locked out" in docs/protocols.md says how to have it read.`
	case l.cfg.MAC != "":
		f.advice = "The plug's old firmware speaks securePassthrough only, which gives your account's password to whoever answers, and anybody can answer for a plug that is " +
			"searched for. Update the firmware in the Tapo app, or list the plug with its address instead of its mac and set allow_passthrough, after reading docs/security.md."
	case l.cfg.Protocol == KLAP, l.cfg.Protocol == TPAP:
		f.text = fmt.Sprintf("the target is pinned to %s, but the plug speaks securePassthrough", l.cfg.Protocol)
	}
	return f
}
