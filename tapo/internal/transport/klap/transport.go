// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package klap

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// Transport implements [transport.Transport].
type Transport struct{ versions []Version }

// NewTransport returns a transport for plugs with these hash formulas. They are those of
// the dialects that the caller has.
func NewTransport(versions ...Version) *Transport { return &Transport{versions} }

var errOtherCredentials = errors.New("the plug knows other credentials")

// Protocol implements [transport.Transport].
func (t *Transport) Protocol() plug.Protocol { return protocol }

// Recognise implements [transport.Transport] with handshake1. The offer is a
// [Challenge].
func (t *Transport) Recognise(ctx context.Context, l transport.Link) (transport.Offer, error) {
	ch, answer, ok, err := Handshake1(ctx, l.HTTP)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, &transport.NotSpoken{Reply: answer}
	}
	return ch, nil
}

// MAC implements [transport.Offer]: a challenge has none.
func (ch Challenge) MAC() string { return "" }

// Reusable implements [transport.Offer]: a challenge is good for one login.
func (ch Challenge) Reusable() bool { return false }

// Login implements [transport.Transport]. The challenge shows which hashes the plug
// uses, without another request.
func (t *Transport) Login(ctx context.Context, l transport.Link, o transport.Offer, c plug.Credentials) (transport.Session, error) {
	ch := o.(Challenge)
	v, auth := ch.fits(c)
	switch {
	case auth == nil:
		return nil, &transport.Rejected{Err: errOtherCredentials, AttemptsLeft: -1, Fits: func(c plug.Credentials) bool {
			_, auth := ch.fits(c)
			return auth != nil
		}}
	case !slices.Contains(t.versions, v):
		return nil, &transport.Unsupported{
			What:   "the credentials are right, but the plug hashes them as old Kasa firmware does (KLAP v1)",
			Advice: transport.OldKasaAdvice,
		}
	}
	s, err := ch.Handshake2(ctx, l.HTTP, v, auth, !l.AcceptUnsigned)
	if status, ok := errors.AsType[*httpwire.StatusError](err); ok && status.Status == http.StatusForbidden {
		// The plug has proved that it has this password, so the reason is another one,
		// such as a handshake by another client in between.
		return nil, &transport.Refused{Err: err, Here: true}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// fits returns the hash formulas with which the plug has proved that it has c, and the
// auth hash, which is nil if it has not.
func (ch Challenge) fits(c plug.Credentials) (Version, []byte) {
	for _, v := range []Version{V2, V1} {
		if auth := v.AuthHash(c.Username, string(c.Password)); ch.Proves(v, auth) {
			return v, auth
		}
	}
	return 0, nil
}
