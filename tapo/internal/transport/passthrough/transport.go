// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// Transport implements [transport.Transport]. The zero value is ready.
type Transport struct {
	// GenerateKey makes the key of a handshake. Nil makes a new one each time, so that
	// no recorded session can be read with a key that leaks later. Tests of many
	// logins share one, since a key takes longer than everything else.
	GenerateKey func() (*rsa.PrivateKey, error)

	version LoginVersion     // of the last login that succeeded, 0 if none did
	account plug.Credentials // of the last login
}

// errNewer means that the plug speaks KLAP or TPAP.
var errNewer = errors.New("the plug speaks another protocol now")

// Protocol implements [transport.Transport].
func (t *Transport) Protocol() plug.Protocol { return protocol }

// channel is an encrypted channel with the host that has replied.
type channel struct{ session *Session }

func (channel) MAC() string { return "" }

func (channel) Reusable() bool { return false } // each login needs a new handshake

// Recognise implements [transport.Transport] with the handshake, which makes the
// channel. It sends a public key and nothing secret.
func (t *Transport) Recognise(ctx context.Context, l transport.Link) (transport.Offer, error) {
	key, err := t.newKey()
	if err != nil {
		return nil, err
	}
	s, answer, ok, err := Handshake(ctx, l.HTTP, key)
	switch code, refused := errors.AsType[*plugerr.CodeError](err); {
	case refused && code.Code == plugerr.CodeUnknownTransport:
		return nil, &transport.NotSpoken{Err: errNewer, IsPlug: true}
	case err != nil:
		return nil, err
	case !ok && answer.Status >= http.StatusInternalServerError:
		return nil, &httpwire.StatusError{Step: "handshake", Status: answer.Status}
	case !ok:
		return nil, &transport.NotAPlug{Reply: answer}
	}
	return channel{s}, nil
}

func (t *Transport) newKey() (*rsa.PrivateKey, error) {
	if t.GenerateKey != nil {
		return t.GenerateKey()
	}
	return rsa.GenerateKey(rand.Reader, KeyBits)
}

// Login implements [transport.Transport]. It tries the hashed login first. The password
// in clear is only for a plug that refuses the hash, and has never accepted it.
func (t *Transport) Login(ctx context.Context, l transport.Link, o transport.Offer, c plug.Credentials) (transport.Session, error) {
	versions := []LoginVersion{LoginHashed, LoginClear}
	if t.account != c {
		t.version, t.account = 0, c
	}
	if t.version != 0 {
		versions = []LoginVersion{t.version}
	}
	var refusal error
	for _, v := range versions {
		if refusal != nil {
			var err error
			if o, err = t.Recognise(ctx, l); err != nil {
				return nil, err
			}
		}
		s := o.(channel).session
		refusal = s.Login(ctx, v, c.Username, string(c.Password))
		if refusal == nil {
			t.version = v
			s.oldest = v == LoginClear
			return s, nil
		}
		if code, ok := errors.AsType[*plugerr.CodeError](refusal); !ok || !rejects(code.Code) {
			return nil, refusal
		}
	}
	return nil, &transport.Rejected{Err: refusal, AttemptsLeft: -1}
}

// rejects reports whether an error code of login_device is about the credentials or
// their form. With another code, the password must not be sent in clear.
func rejects(code int) bool {
	return code == plugerr.CodeLogin || code == plugerr.CodeLoginFailed || code == plugerr.CodeParams
}

// Identify checks, without credentials and without a handshake, whether the host speaks
// securePassthrough. A plug refuses component_nego in clear with 1003 if it speaks KLAP or
// TPAP (mihai-dinculescu/tapo#441), and with another code if it does not. The error is a
// [*transport.NotSpoken] for KLAP and TPAP, a [*transport.NotAPlug], a
// [*httpwire.StatusError], or one of [httpwire.Client.Post].
func Identify(ctx context.Context, l transport.Link) error {
	reply, err := l.HTTP.Post(ctx, httpwire.Request{
		Protocol: protocol, Phase: plug.Ask, Step: "component_nego", Path: "/app", JSON: true,
		Body: []byte(`{"method":"component_nego","params":null}`),
	})
	if err != nil {
		return err
	}
	if reply.Status >= http.StatusInternalServerError && !httpwire.IsHTML(reply.Body) {
		return &httpwire.StatusError{Step: "component_nego", Status: reply.Status}
	}
	answer, ok := lenient.Decode(reply.Body)
	switch {
	case reply.Status != http.StatusOK || !ok || answer.Code() == 0:
		return &transport.NotAPlug{Reply: reply}
	case answer.Code() == plugerr.CodeUnknownTransport:
		return &transport.NotSpoken{Err: errNewer, IsPlug: true}
	}
	return nil
}
