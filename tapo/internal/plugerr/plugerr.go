// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package plugerr is what can go wrong in a conversation with a plug, in the
// words that transports and dialects share. An error says what became of the
// session, which decides whether a new login is the answer; why a plug cannot
// be read, in the words of users, is made of it in package tapo.
package plugerr

import (
	"errors"
	"fmt"
)

var (
	// ErrSessionLost says that the plug no longer knows the session.
	ErrSessionLost = errors.New("the plug no longer knows the session")
	// ErrOutOfSync says that nobody knows what became of a session, so that a new
	// login is the answer.
	ErrOutOfSync = errors.New("the session may be out of step")
	// ErrRefused says that the plug refused a request over a session, outside of
	// the session, for a reason that a new login may mend.
	ErrRefused = errors.New("the plug refuses the request")
	// ErrBadReply says that a reply is damaged: too long, cut short, or it does
	// not verify, decrypt or parse.
	ErrBadReply = errors.New("bad reply")
	// ErrReplyTimeout says that an answer has not come in the time that it was
	// given, while there is more of it.
	ErrReplyTimeout = errors.New("no answer in time")
)

// CodeError is an error_code other than 0 in a plug's JSON.
type CodeError struct {
	Step string // the method, or the login step
	Code int
}

func (e *CodeError) Error() string {
	return fmt.Sprintf("%s: error_code %d (%s)", e.Step, e.Code, CodeName(e.Code))
}

// unanswered is an error of a request that got no answer, the first time that it
// was sent at least.
type unanswered struct{ error }

func (u unanswered) Unwrap() error { return u.error }

// notAReply is an error of a request that the session may survive.
type notAReply struct{ error }

func (n notAReply) Unwrap() error { return n.error }

// NotAReply marks err as that of a request over a session that the plug's web server
// has answered in a way that concerns this request alone: with its web page, or with
// an HTTP status that does not end a session.
func NotAReply(err error) error { return notAReply{err} }

// IsNotAReply reports whether err is marked so.
func IsNotAReply(err error) bool {
	_, ok := errors.AsType[notAReply](err)
	return ok
}

// Unanswered marks err as that of a request that got no answer, the first time
// that it was sent at least: the plug may hang on what it was asked.
func Unanswered(err error) error { return unanswered{err} }

// IsUnanswered reports whether err is marked so.
func IsUnanswered(err error) bool {
	_, ok := errors.AsType[unanswered](err)
	return ok
}
