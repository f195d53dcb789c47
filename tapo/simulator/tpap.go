// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"crypto/subtle"
	"net/http"
	"slices"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/spake2plus"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/tpap"
)

// TPAPOptions configures a plug that speaks TPAP. The zero value is what the plugs on
// record do (python-kasa/python-kasa#1592, #1714).
type TPAPOptions struct {
	// ExtraCrypt is the JSON of `extra_crypt`, the scheme of the credential; "" is
	// password_shadow with passwd_id 2, "null" leaves it out.
	ExtraCrypt string
	// Pake lists passcode types; nil means [2]. A plug with [0] has no account.
	Pake []int
	// UserHashType is 0 for MD5, 1 for SHA-256.
	UserHashType int
	// Iterations of the key derivation; 0 means 3000.
	Iterations int
	// ShortW0 chooses a salt with which w0 begins with a zero byte. Clients that do not
	// write all 32 bytes then fail.
	ShortW0 bool
	// Token is the token of every session; "" means a random one each.
	Token string
	// StartSeq is the first sequence number of every session; nil means a random one
	// each.
	StartSeq *int32
	// TLS is the announced mode. With 1 and 2, logins and data are served over HTTPS
	// on a port of their own, with a self-signed certificate.
	TLS int
	// Attests makes the plug require a nonce for its attestation.
	Attests bool
	// MaxFailures is the number of wrong passwords that locks the plug; 0 means 15
	// (python-kasa/python-kasa#1592).
	MaxFailures int
	// LockTime is how long the plug stays locked after the last attempt; 0 means 30
	// minutes. The real time is not known.
	LockTime time.Duration
}

const (
	defaultExtraCrypt = `{"type":"password_shadow","params":{"passwd_id":2}}`

	// The values of real plugs are not known.
	maxPendingTime  = time.Minute
	maxTPAPSessions = 4
	seqWindow       = 1000 // how far ahead a sequence number may be
)

func (o *TPAPOptions) setDefaults() {
	if o.ExtraCrypt == "" {
		o.ExtraCrypt = defaultExtraCrypt
	}
	if o.Pake == nil {
		o.Pake = []int{2}
	}
	if o.Iterations == 0 {
		o.Iterations = 3000
	}
	if o.MaxFailures == 0 {
		o.MaxFailures = 15
	}
	if o.LockTime == 0 {
		o.LockTime = 30 * time.Minute
	}
}

// tpapState is the plug's half of TPAP.
type tpapState struct {
	salt        []byte
	record      *spake2plus.Record // of the credentials; nil until the first login
	failures    int
	lockedUntil time.Time

	pending  *tpapPending
	sessions []*tpapSession // the oldest first
}

type tpapPending struct {
	binding  spake2plus.Binding
	verifier *spake2plus.Verifier
	expires  time.Time
}

type tpapSession struct {
	path    string // with the token
	frames  *tpap.Frames
	next    uint32 // the lowest acceptable sequence number
	expires time.Time
}

// forget ends sessions, and logins that have begun, as a restart does. The count of
// failures stays.
func (s *tpapState) forget() { s.pending, s.sessions = nil, nil }

// handleTPAP handles all requests to a plug that speaks TPAP, except discover. KLAP
// gets 403 and securePassthrough 1003 (mihai-dinculescu/tapo#441).
func (p *Plug) handleTPAP(req request, fault Fault) response {
	switch {
	case req.path == "/app/handshake1" || req.path == "/app/handshake2" || req.path == "/app/request":
		return response{status: http.StatusForbidden}
	case req.path == "/app":
		return jsonCode(codeUnknownTransport)
	case p.TPAP.TLS > 0 && !req.secure:
		return response{status: http.StatusNotFound}
	case req.step == tpap.PakeRegister:
		return p.pakeRegister(req)
	case req.step == tpap.PakeShare:
		return p.pakeShare(req, fault)
	case req.step == stepData:
		return p.tpapRequest(req, fault)
	}
	if req.path == "/" {
		return jsonCode(codeParams)
	}
	return response{status: http.StatusNotFound}
}

func (p *Plug) tpapRequest(req request, fault Fault) response {
	i := slices.IndexFunc(p.tpap.sessions, func(s *tpapSession) bool {
		return subtle.ConstantTimeCompare([]byte(s.path), []byte(req.path)) == 1
	})
	if i < 0 || req.query != "" {
		return jsonCode(tpap.CodeDenied)
	}
	s := p.tpap.sessions[i]
	drop := func(code int) response {
		p.tpap.sessions = slices.Delete(p.tpap.sessions, i, i+1)
		return jsonCode(code)
	}
	if !p.Now().Before(s.expires) {
		return drop(tpap.CodeDenied)
	}
	seq, err := tpap.Sequence(req.body)
	if err != nil || seq-s.next > seqWindow { // wraps around
		return drop(codeSessionExpired)
	}
	plain, err := s.frames.Open(seq, req.body)
	if err != nil {
		return drop(codeTag)
	}
	s.next = seq + 1
	c, code := parseCall(plain)
	reply := codeOnly(code)
	if code == 0 {
		reply = p.execute(c, fault)
	}
	answered := seq
	if fault.Kind == BadSequence {
		answered++
	}
	frame := s.frames.Seal(answered, reply)
	if fault.Kind == BadSignature {
		frame[len(frame)-1] ^= 1
	}
	return response{status: http.StatusOK, contentType: contentBinary, body: frame}
}

// stepData is the step of the data channel. Its path contains the token.
const stepData = "/ds"
