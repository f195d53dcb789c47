// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"syscall"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/budget"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lockout"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/smart"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
)

// Reason says in a word why a plug could not be read.
type Reason string

// The closed list of reasons.
const (
	Unreachable           Reason = "unreachable"             // no route, refused, closed without an answer
	Timeout               Reason = "timeout"                 // the deadline passed
	NotAPlug              Reason = "not_a_plug"              // something else answers at the address
	BadCredentials        Reason = "bad_credentials"         // the plug does not know the account's credentials
	LoginBackoff          Reason = "login_backoff"           // a rejected login is not being repeated yet
	Locked                Reason = lockout.Locked            // the plug refuses all logins for a while
	LocalAccessRefused    Reason = "local_access_refused"    // the plug refuses KLAP, and does not offer TPAP
	PassthroughNotAllowed Reason = "passthrough_not_allowed" // the plug speaks securePassthrough only
	Unsupported           Reason = "unsupported"             // the plug speaks what this package does not
	SessionStolen         Reason = "session_stolen"          // the session was lost again right after a login
	BadReply              Reason = "bad_reply"               // a reply does not verify, decrypt or parse
	PlugError             Reason = "plug_error"              // the plug answered with an error code
)

// Advice says in words what a user can do about the reason.
func (r Reason) Advice() string { return advices[r] }

// Error is the only type of error that reads return.
type Error struct {
	Reason  Reason
	Address string // host:port that was asked
	// Protocol is what the plug was known to speak, empty if that is unknown.
	Protocol Protocol
	// Advice says what to do, more to the point than Reason.Advice where more
	// is known.
	Advice string
	// Err says what happened.
	Err error
}

func (e *Error) Error() string {
	return fmt.Sprintf("plug at %s: %s: %v", e.Address, e.Reason, e.Err)
}

// Unwrap returns what happened.
func (e *Error) Unwrap() error { return e.Err }

// failure is an error of which the reason is known.
type failure struct {
	reason   Reason
	protocol Protocol
	advice   string // "" for the reason's own
	text     string
	again    bool // the login may go well when it is done again at once

	rejected     *transport.Rejected // of a login that the plug rejected, or may have
	attemptsLeft *int                // before the plug locks itself; nil if it has not said
	kind         error               // one of the errors that are exported, or nil
}

func (f *failure) Error() string { return f.text }

func (f *failure) Unwrap() error { return f.kind }

// advise returns the failure's advice, or else the reason's.
func (f *failure) advise() string { return cmp.Or(f.advice, f.reason.Advice()) }

// cause returns what is remembered of a rejected login.
func (f *failure) cause() lockout.Cause {
	return lockout.Cause{Reason: string(f.reason), Text: f.text, Advice: f.advise()}
}

// newError makes an [*Error] of whatever went wrong with a plug that was last
// known to speak the given protocol.
func newError(address string, last Protocol, err error) *Error {
	e := &Error{Address: address, Protocol: last, Err: err}
	f, ok := errors.AsType[*failure](err)
	if history, refused := errors.AsType[*smart.HistoryError](err); refused {
		f, ok = noHistory(history, last), true
	}
	if errors.Is(err, smart.ErrSaysNothing) {
		f, ok = &failure{reason: Unsupported, protocol: last, text: err.Error(), advice: transport.OldKasaAdvice}, true
	}
	if ok {
		e.Reason, e.Protocol, e.Advice = f.reason, f.protocol, f.advise()
		if f.attemptsLeft != nil {
			e.Advice += fmt.Sprintf(" Attempts left before the plug locks itself: %d.", *f.attemptsLeft)
		}
		return e
	}
	e.Reason = reasonOf(err)
	e.Advice = e.Reason.Advice()
	if status, ok := errors.AsType[*httpwire.StatusError](err); ok && status.Status == http.StatusTooManyRequests {
		e.Advice = tooManyAdvice
	}
	if isType[*net.DNSError](err) && e.Reason == Unreachable {
		e.Advice = unknownNameAdvice
	}
	return e
}

// reasonOf classifies errors of the transports and of the network.
func reasonOf(err error) Reason {
	if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() {
		return Timeout
	}
	switch {
	case errors.Is(err, plugerr.ErrReplyTimeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded):
		return Timeout
	case errors.Is(err, plugerr.ErrSessionLost):
		return SessionStolen
	case errors.Is(err, plugerr.ErrBadReply):
		return BadReply
	case isType[*plugerr.CodeError](err), isType[*httpwire.StatusError](err):
		return PlugError
	case errors.Is(err, budget.ErrSpent), isType[*net.OpError](err), isType[*net.DNSError](err), isType[syscall.Errno](err), errors.Is(err, io.EOF):
		return Unreachable
	}
	return NotAPlug // what net/http says of an answer that is not HTTP
}

func isType[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// Reasons lists all reasons.
func Reasons() []Reason {
	all := make([]Reason, 0, len(advices))
	for r := range advices {
		all = append(all, r)
	}
	slices.Sort(all)
	return all
}

// NotFound is the error about a plug that is known by its MAC address alone, where
// no search has found it.
func NotFound(mac string) *Error {
	return &Error{
		Reason: Unreachable, Err: fmt.Errorf("no plug with the MAC address %s has replied to the search", mac),
		Advice: "Check that the plug has power and Wi-Fi, and its MAC address in the Tapo app (the plug's settings, Device Info). The search does not leave the local " +
			"network nor, usually, a container: list the plug with its address then, or name it under discovery.addresses.",
	}
}
