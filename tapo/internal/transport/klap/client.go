// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package klap

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// protocol labels our exchanges.
const protocol = plug.KLAP

// Challenge is a plug's answer to handshake1: its seed, and its proof that it
// knows some credentials.
type Challenge struct {
	local, remote [SeedSize]byte
	proof         [HashSize]byte
	cookie        string
	lifetime      time.Duration
}

// Handshake1 asks the plug for a challenge. It sends nothing but random bytes.
// ok is false when the answer, which is returned, is none of KLAP's. Errors are
// those of [httpwire.Client.Post], or wrap [plugerr.ErrBadReply].
func Handshake1(ctx context.Context, w *httpwire.Client) (ch Challenge, answer httpwire.Reply, ok bool, err error) {
	rand.Read(ch.local[:])
	answer, err = w.Post(ctx, httpwire.Request{Protocol: protocol, Phase: plug.Ask, Step: "handshake1", Path: "/app/handshake1", Body: ch.local[:]})
	if err != nil || !isChallenge(answer) {
		return Challenge{}, answer, false, err
	}
	copy(ch.remote[:], answer.Body)
	copy(ch.proof[:], answer.Body[SeedSize:])
	if ch.cookie, ch.lifetime, ok = answer.Session(); !ok {
		return Challenge{}, answer, true, fmt.Errorf("handshake1: %w: no session cookie", plugerr.ErrBadReply)
	}
	return ch, answer, true, nil
}

// isChallenge tells a challenge, which has 48 bytes or a stray one more, from
// other answers with status 200: short ones, JSON and web pages.
func isChallenge(r httpwire.Reply) bool {
	const size = SeedSize + HashSize
	return r.Status == http.StatusOK && (len(r.Body) == size || len(r.Body) == size+1) &&
		!httpwire.IsHTML(r.Body) && !json.Valid(bytes.TrimSpace(r.Body))
}

// Proves reports, in constant time and offline, whether the plug proved that it
// knows the credentials whose auth hash is given.
func (ch Challenge) Proves(v Version, auth []byte) bool {
	return subtle.ConstantTimeCompare(ch.proof[:], v.ServerHash(ch.local[:], ch.remote[:], auth)) == 1
}

// Handshake2 answers the challenge with our own proof, which makes the session.
// Call it only after [Challenge.Proves]. A refusal is a [*httpwire.StatusError], or
// wraps [plugerr.ErrSessionLost] when the plug has forgotten the challenge.
func (ch Challenge) Handshake2(ctx context.Context, w *httpwire.Client, v Version, auth []byte, verify bool) (*Session, error) {
	reply, err := w.Post(ctx, httpwire.Request{
		Protocol: protocol, Phase: plug.LogIn, Step: "handshake2", Path: "/app/handshake2", Cookie: ch.cookie,
		Body: v.ClientHash(ch.local[:], ch.remote[:], auth),
	})
	if err != nil {
		return nil, err
	}
	if reply.Status == http.StatusBadRequest { // it knows of no handshake, after somebody else's
		return nil, fmt.Errorf("handshake2: %w: HTTP status %d", plugerr.ErrSessionLost, reply.Status)
	}
	if reply.Status != http.StatusOK {
		return nil, &httpwire.StatusError{Step: "handshake2", Status: reply.Status}
	}
	c := NewCipher(ch.local[:], ch.remote[:], auth)
	return &Session{version: v, wire: w, cipher: c, seq: c.InitialSeq(), cookie: ch.cookie, lifetime: ch.lifetime, verify: verify}, nil
}

// Session carries messages over a login. It is not safe for concurrent use: a
// plug wants one request at a time.
type Session struct {
	version  Version
	wire     *httpwire.Client
	cipher   *Cipher
	seq      int32
	cookie   string
	lifetime time.Duration
	verify   bool
}

// Version is the family of hash formulas that the login was made with.
func (s *Session) Version() Version { return s.version }

// Lifetime is how long the plug said that it would keep the session.
func (s *Session) Lifetime() time.Duration { return s.lifetime }

// RoundTrip sends one JSON request and returns the JSON reply. An error wraps
// [plugerr.ErrSessionLost] when a new login is needed, [plugerr.ErrBadReply] when the
// reply does not verify or decrypt, or is a [*httpwire.StatusError].
func (s *Session) RoundTrip(ctx context.Context, request []byte) ([]byte, error) {
	if s.seq == math.MaxInt32 { // what plugs do when it wraps is unknown; a new login is always safe
		return nil, fmt.Errorf("request: %w: sequence numbers are used up", plugerr.ErrSessionLost)
	}
	s.seq++
	reply, err := s.wire.Post(ctx, httpwire.Request{
		Protocol: protocol, Phase: plug.Read, Step: "request", Path: "/app/request?seq=" + strconv.Itoa(int(s.seq)), Cookie: s.cookie,
		Body: s.cipher.Seal(s.seq, request),
	})
	if err != nil {
		return nil, err
	}
	switch reply.Status {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, fmt.Errorf("request: %w: HTTP status %d", plugerr.ErrSessionLost, reply.Status)
	default:
		return nil, &httpwire.StatusError{Step: "request", Status: reply.Status}
	}
	plain, err := s.cipher.Open(s.seq, reply.Body, s.verify)
	if err != nil {
		return nil, fmt.Errorf("request: %w: %w", plugerr.ErrBadReply, err)
	}
	return plain, nil
}
