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

// TPAPOptions is what may differ among plugs that speak TPAP. The zero value is
// what all plugs on record do.
type TPAPOptions struct {
	// ExtraCrypt is the JSON of `extra_crypt`, which names the scheme of the
	// credential; "" is password_shadow with passwd_id 2, "null" leaves it out.
	ExtraCrypt string
	// Pake lists passcode types; nil is [2]. With [0] the plug has no account.
	Pake []int
	// UserHashType is 0 for MD5, 1 for SHA-256.
	UserHashType int
	// Iterations of the key derivation; 0 means 3000.
	Iterations int
	// ShortW0 chooses a salt with which w0 begins with a zero byte, so that
	// clients fail that do not write it in full.
	ShortW0 bool
	// Token is every session's token; "" draws one each.
	Token string
	// StartSeq is every session's first sequence number; nil draws one each.
	StartSeq *int32
	// TLS is the mode announced. With 1 and 2 logins and data are served over
	// HTTPS on a port of their own, with a certificate of the plug's own.
	TLS int
	// Attests makes the plug want a nonce for its attestation.
	Attests bool
	// MaxFailures locks the plug; 0 means 15.
	MaxFailures int
	// LockTime is how long it stays locked after the last attempt; 0 means 30
	// minutes.
	LockTime time.Duration
}

const (
	defaultExtraCrypt = `{"type":"password_shadow","params":{"passwd_id":2}}`

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
	record      *spake2plus.Record // of the credentials; nil until it is needed
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
	next    uint32 // the lowest sequence number that may come
	expires time.Time
}

// forget ends sessions and logins under way, as a restart does; the count of
// failures survives.
func (s *tpapState) forget() { s.pending, s.sessions = nil, nil }

// handleTPAP answers what is sent to a plug that speaks TPAP, but for discover.
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

// stepData names the data channel, whose path holds the token.
const stepData = "/ds"
