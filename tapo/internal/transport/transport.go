// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package transport is the contract between a login and the ways in which plugs
// carry requests.
//
// A transport recognises its plugs without credentials, logs in, and then takes
// one JSON text there and brings another one back. It knows nothing of what the
// texts say, of other transports, nor of when to try again: it says what
// happened, in the errors of this package and of package plugerr, and the login
// decides. Each implementation is a package below this one, with the primitives
// that the simulated plug shares, and a row in the list of package tapo.
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

// Link is the way to one plug, the same for all transports of a device.
type Link struct {
	// Address is the plug's host:port as the configuration has it.
	Address string
	// HTTP is a client of the plug's web server. It goes to Address over plain HTTP
	// when a transport gets it, and wherever the transport sends it after that.
	HTTP *httpwire.Client
	// AcceptUnsigned takes replies that the plug has not signed.
	AcceptUnsigned bool
	// Attempt is called before a step that the plug counts if it fails. An error
	// ends the login there, and is returned as it is.
	Attempt func() error
	Logger  *slog.Logger
	Now     func() time.Time
}

// Session is a login that stands. It is not safe for concurrent use: a plug
// holds one conversation at a time.
type Session interface {
	// RoundTrip sends one JSON text and returns the plug's. Errors are those of
	// package plugerr and of the network; a [*Rejected] says that the plug has
	// locked itself.
	RoundTrip(ctx context.Context, request []byte) ([]byte, error)
	// Lifetime is how long the plug keeps the session, 0 if it did not say.
	Lifetime() time.Duration
}

// Offer is a plug's answer to the question whether it speaks a transport: that it
// does, and how it can be logged in to.
type Offer interface {
	// MAC is the plug's address as the offer has it, "" if it has none. Nothing
	// proves it.
	MAC() string
	// Reusable reports whether another login can do with the same offer, which
	// spares the question.
	Reusable() bool
}

// Transport is one way to carry requests to one plug, and what has been learnt
// about the plug in earlier logins. It is not safe for concurrent use.
type Transport interface {
	Protocol() plug.Protocol
	// Recognise asks the plug whether it speaks the transport. No credentials take
	// part, so it costs no attempt. The error is a [*NotSpoken] where it does not, a
	// [*NotAPlug] where no plug would answer so, an [*Unsupported] where it does in a
	// way of its own, a [*Rejected] where it is locked, or one of the network or of
	// package plugerr.
	Recognise(ctx context.Context, l Link) (Offer, error)
	// Login answers an offer. The error is a [*Rejected], a [*Refused], an
	// [*Unsupported] or a [*NotSpoken], wraps [ErrCertificate], or is one of the
	// network or of package plugerr.
	Login(ctx context.Context, l Link, o Offer, c plug.Credentials) (Session, error)
}

// ErrCertificate says that what answers does not have the certificate that it
// has announced.
var ErrCertificate = errors.New("the device's certificate does not lead to TP-Link's device root")

// NotSpoken says that what answers does not speak the transport, or no longer,
// and what else its answer gives away.
type NotSpoken struct {
	// Err is what it answered instead; it may be nil.
	Err error
	// IsPlug is true where the answer is that of a plug, which may speak something
	// else.
	IsPlug bool
	// ProvesItself is true where the plug names a transport in which plugs prove
	// that they know the account, so that it must not be talked down to another.
	ProvesItself bool
	// Garbled is true where the answer is damaged: the plug may have said anything.
	Garbled bool
	// Reply is the answer, zero where there is none over HTTP.
	Reply httpwire.Reply
}

func (e *NotSpoken) Error() string {
	if e.Err == nil {
		return "the plug does not speak this protocol"
	}
	return e.Err.Error()
}

func (e *NotSpoken) Unwrap() error { return e.Err }

// NotAPlug says that something answers as no plug does, whatever it speaks.
type NotAPlug struct{ Reply httpwire.Reply }

func (e *NotAPlug) Error() string {
	what := "something that is not a plug's JSON"
	if httpwire.IsHTML(e.Reply.Body) {
		what = "a web page"
	}
	return fmt.Sprintf("the host answers with %s (HTTP status %d)", what, e.Reply.Status)
}

// Unsupported is something of the transport that nobody has seen a plug ask for
// yet.
type Unsupported struct {
	What   string // a whole sentence without its full stop
	Advice string // "" where there is nothing more to the point than a report
}

func (e *Unsupported) Error() string { return e.What }

// Refused says that the plug refuses the login for another reason than its
// credentials, and has not counted an attempt.
type Refused struct {
	Err error
	// Here is true where the plug accepts the account but not this client, which
	// may go well when it is done again at once.
	Here bool
}

func (e *Refused) Error() string { return e.Err.Error() }

func (e *Refused) Unwrap() error { return e.Err }

// Verdict is what a plug makes of a login.
type Verdict int

// The verdicts.
const (
	Wrong     Verdict = iota // these are not the plug's credentials
	Locked                   // the plug refuses all logins for a while
	Unclear                  // the answer did not arrive
	Forgotten                // the plug knows of no login under way
	Impostor                 // it took the proof, but could not prove that it knows the same
	Unowned                  // it takes set-up credentials instead of an account's
)

// Rejected is a login that a plug has rejected, or of which nobody knows whether
// it has. It wraps Err.
type Rejected struct {
	Verdict Verdict
	// Err is what the plug answered, or what happened instead.
	Err error
	// Counts is true where the plug counts such a login and locks itself after a
	// few, so that the same credentials must not be tried again.
	Counts bool
	// OutcomeUnknown is true where the plug may have counted the login, or not.
	OutcomeUnknown bool
	// AttemptsLeft is how many the plug says are left, -1 where it does not say.
	AttemptsLeft int
	// Lock is how long the plug stays locked, 0 where it does not say.
	Lock time.Duration
	// UsernameUnused and PasswordUnused say what of the credentials took no part.
	UsernameUnused, PasswordUnused bool
	// Fits reports whether the plug's answer is one to these credentials, without
	// asking it again; nil where its answer does not tell.
	Fits func(plug.Credentials) bool
}

func (e *Rejected) Error() string { return e.Err.Error() }

func (e *Rejected) Unwrap() error { return e.Err }
