// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package klap

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// protocol labels the exchanges of this package.
const protocol = plug.KLAP

// Challenge is a plug's reply to handshake1: its seed, and its proof for the
// credentials that it holds.
type Challenge struct {
	local, remote [SeedSize]byte
	proof         [HashSize]byte
	cookie        string
	lifetime      time.Duration
}

// Handshake1 gets a challenge. It sends random bytes only. ok is false if the reply,
// which is returned, is not one of KLAP. Errors are those of [httpwire.Client.Post], or
// wrap [plugerr.ErrBadReply].
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

// isChallenge reports whether a reply is a challenge. A challenge has 48 bytes, or a
// line feed more. The web page of a plug that does not speak KLAP has 49 bytes as well.
func isChallenge(r httpwire.Reply) bool {
	const size = SeedSize + HashSize
	return r.Status == http.StatusOK && (len(r.Body) == size || len(r.Body) == size+1) &&
		!httpwire.IsHTML(r.Body) && !json.Valid(bytes.TrimSpace(r.Body))
}

// Proves reports whether the plug holds the credentials with this auth hash. It compares
// in constant time, and sends nothing.
func (ch Challenge) Proves(v Version, auth []byte) bool {
	return subtle.ConstantTimeCompare(ch.proof[:], v.ServerHash(ch.local[:], ch.remote[:], auth)) == 1
}

// Handshake2 sends the client's proof, and returns the session. Call it only if
// [Challenge.Proves] is true. A refusal is a [*httpwire.StatusError], or wraps
// [plugerr.ErrSessionLost] if the plug no longer has the challenge.
func (ch Challenge) Handshake2(ctx context.Context, w *httpwire.Client, v Version, auth []byte, verify bool) (*Session, error) {
	reply, err := w.Post(ctx, httpwire.Request{
		Protocol: protocol, Phase: plug.LogIn, Step: "handshake2", Path: "/app/handshake2", Cookie: ch.cookie,
		Body: v.ClientHash(ch.local[:], ch.remote[:], auth),
	})
	if err != nil {
		return nil, err
	}
	if reply.Status == http.StatusBadRequest { // unknown cookie: another client has sent handshake1 since
		return nil, fmt.Errorf("handshake2: %w: HTTP status %d", plugerr.ErrSessionLost, reply.Status)
	}
	if reply.Status != http.StatusOK {
		return nil, &httpwire.StatusError{Step: "handshake2", Status: reply.Status}
	}
	c := NewCipher(ch.local[:], ch.remote[:], auth)
	return &Session{version: v, wire: w, cipher: c, seq: c.InitialSeq(), cookie: ch.cookie, lifetime: ch.lifetime, verify: verify}, nil
}

// Session exchanges messages over a login. It is not safe for concurrent use: a plug
// requires consecutive sequence numbers.
type Session struct {
	version  Version
	wire     *httpwire.Client
	cipher   *Cipher
	seq      int32
	cookie   string
	lifetime time.Duration
	verify   bool
	unopened bool // the plug may not have opened the last request, nor counted it
}

// Version returns the hash formulas of the login.
func (s *Session) Version() Version { return s.version }

// Lifetime returns the session's lifetime as the plug announced it.
func (s *Session) Lifetime() time.Duration { return s.lifetime }

// RoundTrip sends one JSON request and returns the JSON reply. An error wraps
// [plugerr.ErrSessionLost] if a new login is needed, [plugerr.ErrBadReply] if the reply
// does not verify or decrypt, or is a [*httpwire.StatusError].
func (s *Session) RoundTrip(ctx context.Context, request []byte) ([]byte, error) {
	if s.seq == math.MaxInt32 { // how plugs wrap is not known; a new login starts elsewhere
		return nil, fmt.Errorf("request: %w: sequence numbers are used up", plugerr.ErrSessionLost)
	}
	s.seq++
	plain, err := s.exchange(ctx, request)
	if s.unopened && errors.Is(err, plugerr.ErrSessionLost) {
		s.seq-- // which the plug may require yet
		plain, err = s.exchange(ctx, request)
	}
	s.unopened = plugerr.IsNotAReply(err)
	return plain, err
}

// exchange sends one request with the present sequence number.
func (s *Session) exchange(ctx context.Context, request []byte) ([]byte, error) {
	reply, err := s.wire.Post(ctx, httpwire.Request{
		Protocol: protocol, Phase: plug.Read, Step: "request", Path: "/app/request?seq=" + strconv.Itoa(int(s.seq)), Cookie: s.cookie,
		Body: s.cipher.Seal(s.seq, request),
	})
	if err != nil {
		return nil, err
	}
	if err := reply.OverSession("request"); err != nil {
		return nil, err
	}
	plain, err := s.cipher.Open(s.seq, reply.Body, s.verify)
	if err != nil {
		return nil, fmt.Errorf("request: %w: %w", plugerr.ErrBadReply, err)
	}
	return plain, nil
}
