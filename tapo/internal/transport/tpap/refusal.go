// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
)

// Error codes of logins and of the data channel (python-kasa/python-kasa#1592, #1714).
const (
	CodeDenied         = -2203 // a login: wrong password; the data channel: the session is gone
	CodeLocked         = plugerr.CodeAccountLocked
	codeDeniedToo      = -2202
	codeUnknownSession = -2402
	codeTag            = -40420
	codeToken          = -40421

	codeCameraLocked    = -40404
	codeCameraLockedToo = -40408
)

// allowed is the number of failures before a plug locks itself
// (python-kasa/python-kasa#1592), for a plug that reports only the failures.
const allowed = 15

// Refusal is a plug's error code in a step of the login, with its counters of attempts.
type Refusal struct {
	Step string
	Code int
	// Failed and Remaining count attempts; -1 if the plug reports neither.
	Failed, Remaining int
	// Lock is how long the plug stays locked, 0 if it does not report that.
	Lock time.Duration
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%s: error_code %d (%s)", r.Step, r.Code, plugerr.CodeName(r.Code))
}

// Unwrap returns the error code as a [*plugerr.CodeError].
func (r *Refusal) Unwrap() error { return &plugerr.CodeError{Step: r.Step, Code: r.Code} }

// Locked reports whether the plug refuses all logins for now.
func (r *Refusal) Locked() bool {
	switch r.Code {
	case CodeLocked, codeCameraLocked, codeCameraLockedToo:
		return true
	case codeUnknownSession: // reported once, without details
		return r.Lock > 0 || r.Remaining == 0
	}
	return false
}

// Rejects reports whether the plug has refused the credentials.
func (r *Refusal) Rejects() bool {
	switch r.Code {
	case CodeDenied, codeDeniedToo, plugerr.CodeLogin, plugerr.CodeLoginFailed, plugerr.CodeHandshakeFailed:
		return true
	case plugerr.CodeSessionExpired: // a camera refuses a wrong passcode with it
		return r.Step == PakeShare
	}
	return false
}

// Forgets reports whether the plug may have refused the proof because it has no login in
// progress. If the proof is wrong, a plug reports its counters.
func (r *Refusal) Forgets() bool {
	return r.Step == PakeShare && r.Code == plugerr.CodeLogin && r.Failed < 0 && r.Remaining < 0
}

// envelope is the outer JSON of a login step, with all known names of its members.
type envelope struct {
	ErrorCode lenient.Number  `json:"error_code"`
	ErrCode   lenient.Number  `json:"err_code"`
	Result    json.RawMessage `json:"result"`
	Info      counters        `json:"error_info"`
	Message   counters        `json:"err_msg"`
	Data      counters        `json:"data"`
}

type counters struct {
	LockedMinute   lenient.Number `json:"lockedMinute"`
	FailedAttempts lenient.Number `json:"failedAttempts"`
	RemainAttempts lenient.Number `json:"remainAttempts"`
	SecLeft        lenient.Number `json:"sec_left"`
}

// decode parses the reply to a login step. ok is false if it is not one. An error is a
// [*Refusal].
func decode(step string, reply httpwire.Reply) (result json.RawMessage, ok bool, err error) {
	var e envelope
	if reply.Status != http.StatusOK || !lenient.Unmarshal(reply.Body, &e) {
		return nil, false, nil
	}
	code := e.ErrorCode
	if !code.Valid {
		code = e.ErrCode
	}
	switch {
	case code.Value != math.Trunc(code.Value): // not a code
		return nil, false, nil
	case code.Valid && code.Value != 0:
		return nil, true, e.refusal(step, int(code.Value))
	case len(e.Result) > 0 && e.Result[0] == '{':
		return e.Result, true, nil
	}
	return nil, false, nil
}

func (e envelope) refusal(step string, code int) *Refusal {
	r := &Refusal{Step: step, Code: code, Failed: -1, Remaining: -1}
	for _, c := range []counters{e.Info, e.Message, e.Data} {
		if n := c.FailedAttempts; n.Valid && n.Value >= 0 {
			r.Failed = int(n.Value)
		}
		if n := c.RemainAttempts; n.Valid && n.Value >= 0 {
			r.Remaining = int(n.Value)
		}
		r.Lock = max(r.Lock, duration(c.LockedMinute, time.Minute), duration(c.SecLeft, time.Second))
	}
	if r.Remaining < 0 && r.Failed >= 0 {
		r.Remaining = max(0, allowed-r.Failed)
	}
	return r
}

// duration converts a number of units. It bounds the number, which may be too large for a
// [time.Duration].
func duration(n lenient.Number, unit time.Duration) time.Duration {
	return time.Duration(min(max(n.Value, 0), 1e6) * float64(unit))
}
