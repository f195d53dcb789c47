// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package transport is the contract between a login and the transports.
//
// A transport recognises its plugs without credentials, logs in, and then exchanges one
// JSON text for another. It does not depend on what the texts mean, on other transports,
// or on when to try again. It reports what happened, in the errors of this package and of
// package plugerr, and the login decides. Each implementation is a package below this
// one, with the primitives that the simulator shares, and a row in the list of package
// tapo.
package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// Link is the connection to one plug, the same for all transports of a device.
type Link struct {
	// Address is the plug's host:port as the configuration has it.
	Address string
	// HTTP is a client of the plug's web server. It uses plain HTTP to Address until the
	// transport sets another endpoint.
	HTTP *httpwire.Client
	// AcceptUnsigned accepts replies without a valid signature.
	AcceptUnsigned bool
	// Attempt is called before a step that the plug counts if it fails. An error ends
	// the login, which returns it unchanged.
	Attempt func(ctx context.Context) error
	// Prove is called right before the proof is sent that the plug counts if it is wrong,
	// with the way in which the plug wants the login: what it has chosen, in a few words.
	Prove  func(ctx context.Context, way string)
	Logger *slog.Logger
	Now    func() time.Time
}

// Session is an established login. It is not safe for concurrent use: a plug holds one
// conversation at a time.
type Session interface {
	// RoundTrip sends one JSON text and returns the plug's reply. Errors are those of
	// package plugerr and of the network. A [*Rejected] means that the plug has locked
	// itself.
	RoundTrip(ctx context.Context, request []byte) ([]byte, error)
	// Lifetime returns how long the plug keeps the session, 0 if it did not announce
	// that.
	Lifetime() time.Duration
}

// OldestFirmware is implemented by sessions with plugs that may be too old for
// batches.
type OldestFirmware interface {
	// OldestFirmware reports whether this plug may be.
	OldestFirmware() bool
}

// Offer is the reply of a plug that speaks a transport. It contains how to log in.
type Offer interface {
	// MAC returns the MAC address in the offer, "" if there is none. Nothing proves it.
	MAC() string
	// Reusable reports whether the next login can use the same offer.
	Reusable() bool
}

// Transport logs in to one plug. It keeps what earlier logins have shown of the plug. It
// is not safe for concurrent use.
type Transport interface {
	Protocol() plug.Protocol
	// Recognise finds out whether the plug speaks the transport. It uses no credentials,
	// so it costs no attempt. The error is a [*NotSpoken] if the plug does not, a
	// [*NotAPlug] if no plug replies in this way, an [*Unsupported] if it speaks a
	// variant that is not implemented, a [*Rejected] if it is locked, or one of the
	// network or of package plugerr.
	Recognise(ctx context.Context, l Link) (Offer, error)
	// Login logs in according to an offer. The error is a [*Rejected], a [*Refused], an
	// [*Unsupported] or a [*NotSpoken], wraps [ErrCertificate], or is one of the
	// network or of package plugerr.
	Login(ctx context.Context, l Link, o Offer, c plug.Credentials) (Session, error)
}

// ErrCertificate means that the host does not have the certificate that it announced.
var ErrCertificate = errors.New("the device's certificate does not lead to TP-Link's device root")

// OldKasaAdvice is what to do about a device with the old Kasa dialect.
const OldKasaAdvice = "The plug speaks the old Kasa dialect, which this version cannot. Update its firmware in the app, or report the model."

// NotSpoken means that the host does not speak the transport, or no longer. The members
// are what else its reply shows.
type NotSpoken struct {
	// Err is what the host replied instead; it may be nil.
	Err error
	// IsPlug is true if the host is a plug. It may speak another transport.
	IsPlug bool
	// ProvesItself is true if the plug announces a transport in which plugs prove that
	// they have the account. It must not be downgraded to one in which they do not.
	ProvesItself bool
	// Garbled is true if the reply is damaged. The plug may speak any transport.
	Garbled bool
	// Reply is the reply, the zero value if there was none over HTTP.
	Reply httpwire.Reply
}

func (e *NotSpoken) Error() string {
	if e.Err == nil {
		return "the plug does not speak this protocol"
	}
	return e.Err.Error()
}

func (e *NotSpoken) Unwrap() error { return e.Err }

// NotAPlug means that the host replies as no plug does.
type NotAPlug struct{ Reply httpwire.Reply }

func (e *NotAPlug) Error() string {
	what := "something that is not a plug's JSON"
	if httpwire.IsHTML(e.Reply.Body) {
		what = "a web page"
	}
	return fmt.Sprintf("the host answers with %s (HTTP status %d)", what, e.Reply.Status)
}

// Unsupported is a variant of the transport that is not implemented, since no plug on
// record uses it.
type Unsupported struct {
	What   string // a whole sentence without its full stop
	Advice string // "" if the only advice is to report it
}

func (e *Unsupported) Error() string { return e.What }

// Refused means that the plug refuses the login for another reason than the credentials,
// and has not counted an attempt.
type Refused struct {
	Err error
	// Here is true if the plug accepts the account but not this client. Another login at
	// once may succeed.
	Here bool
}

func (e *Refused) Error() string { return e.Err.Error() }

func (e *Refused) Unwrap() error { return e.Err }

// Verdict is the outcome of a rejected login.
type Verdict int

// The verdicts.
const (
	Wrong     Verdict = iota // the plug has other credentials
	Locked                   // the plug refuses all logins for a while
	Unclear                  // the reply did not arrive
	Forgotten                // the plug has no login in progress
	Impostor                 // the plug accepted the proof, and its own proof is wrong
	Unowned                  // the plug accepts set-up credentials instead of an account's
	Stale                    // the plug wants a login without the password, which is not tried
)

// Rejected is a login that a plug has rejected, or whose outcome is not known. It wraps
// Err.
type Rejected struct {
	Verdict Verdict
	// Err is what the plug replied, or what happened instead.
	Err error
	// Counts is true if the plug counts such logins and locks itself after some. The
	// same credentials must not be tried again.
	Counts bool
	// OutcomeUnknown is true if the plug may or may not have counted the login.
	OutcomeUnknown bool
	// AttemptsLeft is the number of attempts that the plug reports, -1 if it reports
	// none.
	AttemptsLeft int
	// Lock is how long the plug stays locked, 0 if it does not report that.
	Lock time.Duration
	// UsernameUnused means that the e-mail address took no part in the login.
	UsernameUnused bool
	// BeforeProof is true if the credentials had taken no part yet.
	BeforeProof bool
	// Fits reports whether other credentials match the plug's reply, without another
	// request. It is nil if the reply does not show that.
	Fits func(plug.Credentials) bool
}

func (e *Rejected) Error() string { return e.Err.Error() }

func (e *Rejected) Unwrap() error { return e.Err }
