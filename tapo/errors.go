// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
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
	Locked                Reason = "locked"                  // the plug refuses all logins for a while
	LocalAccessRefused    Reason = "local_access_refused"    // the plug refuses KLAP, and does not offer TPAP
	PassthroughNotAllowed Reason = "passthrough_not_allowed" // the plug speaks securePassthrough only
	Unsupported           Reason = "unsupported"             // the plug speaks what this package does not
	SessionStolen         Reason = "session_stolen"          // the session was lost again right after a login
	BadReply              Reason = "bad_reply"               // a reply does not verify, decrypt or parse
	PlugError             Reason = "plug_error"              // the plug answered with an error code
)

var advices = map[Reason]string{
	Unreachable: "Check that the plug has power and Wi-Fi and that this is its address: the Tapo app shows it. If the router gave it another " +
		"one, reserve its address there, or list the plug by its mac instead. If it is on and its address is right, unplug it for ten seconds.",
	Timeout: "Check that the plug has power, and its Wi-Fi signal; a firewall between looks the same. If it answers slowly, look for other programs " +
		"that poll it, and leave it a few seconds in scrape_timeout and --timeout.",
	NotAPlug: "Something that is no Tapo plug answers at this address. The router may have given the plug's address to " +
		"another device: look the plug's address up in the Tapo app, and reserve it in the router.",
	BadCredentials: "The plug does not know these credentials. Use the e-mail and password of the TP-Link account that owns the plug, " +
		"the e-mail in the very spelling in which it was registered. After a change of the password a plug keeps the old one until it " +
		"has been online, or is added again in the app.",
	LoginBackoff: "The plug rejected these credentials, and trying them over and over may lock it. Correct them and reload; that tries at once.",
	Locked:       "The plug has locked itself after too many wrong passwords. Leave it alone until the lock is over: an attempt is said to prolong it.",
	LocalAccessRefused: "The plug refuses KLAP and does not offer TPAP. In the Tapo app open Me > Third-Party Services > Third-Party Compatibility, switch it off, wait a minute, and switch it on again. " +
		"Firmware updates undo it. The plug needs internet access for the switch to reach it.",
	PassthroughNotAllowed: "The plug's old firmware speaks securePassthrough only, which gives your account's password to whoever answers at the address. " +
		"Update the firmware in the Tapo app, or set allow_passthrough for this target after reading docs/security.md.",
	Unsupported: "The plug speaks something that this version does not. Please report the model, the firmware and the probe's log.",
	SessionStolen: "Another client uses this plug: a plug keeps one session or a few, and a login ends another's. Look for the Tapo app, a hub, " +
		"Home Assistant or a second exporter that polls it.",
	BadReply:  "The plug sends replies that cannot be read. Restart it and update its firmware; if that does not help, please report the probe's log.",
	PlugError: "The plug answered with an error. If it does so all the time, restart it, and report the code and the firmware if that does not help.",
}

const tooManyAdvice = "The plug gets too many requests. Set scrape_interval to 15s or more, and look for other programs that poll it, such as " +
	"Home Assistant or a second exporter. It is left alone for a while, and then read again by itself."

const unknownNameAdvice = "Nobody knows the plug's name. Correct it in the configuration, or give the plug's address or its mac instead: the Tapo app shows both " +
	"in the plug's settings, under Device Info."

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

// failure is an error of which a login step knows the reason.
type failure struct {
	reason   Reason
	protocol Protocol
	advice   string // "" for the reason's own
	text     string
	again    bool // the login may go well when it is done again at once

	// Of TPAP logins, for the guard.
	lock           time.Duration // how long a locked plug stays locked, 0 if it did not say
	final          bool          // the login may not be tried again with the same credentials
	outcomeUnknown bool          // the plug may have counted the login as a wrong one
	attemptsLeft   int           // with final: what the plug says, -1 if nothing
	usernameUnused bool          // with final: what of the credentials did not enter the login
	passwordUnused bool
}

func (f *failure) Error() string { return f.text }

// newError makes an [*Error] of whatever went wrong with a plug that was last
// known to speak the given protocol.
func newError(address string, last Protocol, err error) *Error {
	e := &Error{Address: address, Protocol: last, Err: err}
	f, ok := errors.AsType[*failure](err)
	if ok {
		e.Reason, e.Protocol, e.Advice = f.reason, f.protocol, f.advice
	} else {
		e.Reason = reasonOf(err)
		if status, ok := errors.AsType[*httpwire.StatusError](err); ok && status.Status == http.StatusTooManyRequests {
			e.Advice = tooManyAdvice
		}
		if isType[*net.DNSError](err) && e.Reason == Unreachable {
			e.Advice = unknownNameAdvice
		}
	}
	if e.Advice == "" {
		e.Advice = e.Reason.Advice()
	}
	if ok && f.final && f.attemptsLeft >= 0 {
		e.Advice += fmt.Sprintf(" Attempts left before the plug locks itself: %d.", f.attemptsLeft)
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
	case errors.Is(err, httpwire.ErrBudgetSpent), isType[*net.OpError](err), isType[*net.DNSError](err), isType[syscall.Errno](err), errors.Is(err, io.EOF):
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
