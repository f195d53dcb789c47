// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// protocol labels the exchanges of this package.
const protocol = plug.Passthrough

// Session exchanges messages with a plug. It is not safe for concurrent use.
type Session struct {
	wire     *httpwire.Client
	cipher   *Cipher
	cookie   string
	token    string // "" before the login
	lifetime time.Duration
	oldest   bool
}

// Handshake makes an encrypted channel with the host, which proves nothing. It sends
// the public half of key and nothing secret. ok is false if the reply, which is returned, is not
// JSON with an error code. A refusal is a [*plugerr.CodeError]; other errors are those of
// [httpwire.Client.Post], or wrap [plugerr.ErrBadReply].
func Handshake(ctx context.Context, w *httpwire.Client, key *rsa.PrivateKey) (s *Session, answer httpwire.Reply, ok bool, err error) {
	body, err := HandshakeRequest(&key.PublicKey)
	if err != nil {
		return nil, answer, false, err
	}
	answer, err = w.Post(ctx, httpwire.Request{Protocol: protocol, Phase: plug.LogIn, Step: "handshake", Path: "/app", JSON: true, Body: body})
	if err != nil {
		return nil, answer, false, err
	}
	reply, ok := DecodeReply(answer.Body)
	if answer.Status != http.StatusOK || !ok {
		return nil, answer, false, nil
	}
	if reply.Code() != 0 {
		return nil, answer, true, &plugerr.CodeError{Step: "handshake", Code: reply.Code()}
	}
	s = &Session{wire: w}
	if s.cookie, s.lifetime, ok = answer.Session(); !ok {
		return nil, answer, true, fmt.Errorf("handshake: %w: no session cookie", plugerr.ErrBadReply)
	}
	if s.cipher, err = OpenKey(key, string(reply.Result.Key)); err != nil {
		return nil, answer, true, fmt.Errorf("handshake: %w: %w", plugerr.ErrBadReply, err)
	}
	return s, answer, true, nil
}

// Login sends the credentials. It may be called once per handshake: after a
// refusal, which is a [*plugerr.CodeError], the next login needs a new one.
func (s *Session) Login(ctx context.Context, v LoginVersion, username, password string) error {
	body, err := json.Marshal(LoginRequest{
		Method: "login_device", Params: v.Params(username, password), Millis: time.Now().UnixMilli(),
	})
	if err != nil {
		return err
	}
	plain, err := s.roundTrip(ctx, plug.LogIn, "login_device", body)
	if err != nil {
		return err
	}
	env, ok := lenient.Decode(plain)
	if !ok {
		return fmt.Errorf("login_device: %w: not a reply", plugerr.ErrBadReply)
	}
	if env.Code() != 0 {
		return s.refusal("login_device", env.Code())
	}
	var r struct {
		Token lenient.Text `json:"token"`
	}
	if err := json.Unmarshal(env.Result, &r); err != nil || r.Token == "" {
		return fmt.Errorf("login_device: %w: no token", plugerr.ErrBadReply)
	}
	s.token = string(r.Token)
	return nil
}

var _ transport.OldestFirmware = (*Session)(nil)

// OldestFirmware reports whether the plug accepts only the login with the password in
// clear, as the first firmware does.
func (s *Session) OldestFirmware() bool { return s.oldest }

// Lifetime returns the session's lifetime as the plug announced it.
func (s *Session) Lifetime() time.Duration { return s.lifetime }

// RoundTrip sends one JSON request and returns the JSON reply. An error wraps
// [plugerr.ErrSessionLost] if a new login is needed, [plugerr.ErrBadReply] if the reply
// does not decrypt, or is a [*plugerr.CodeError] or [*httpwire.StatusError].
func (s *Session) RoundTrip(ctx context.Context, request []byte) ([]byte, error) {
	return s.roundTrip(ctx, plug.Read, "request", request)
}

func (s *Session) roundTrip(ctx context.Context, phase plug.Phase, step string, request []byte) ([]byte, error) {
	path := "/app"
	if s.token != "" {
		path += "?token=" + s.token
	}
	answer, err := s.wire.Post(ctx, httpwire.Request{
		Protocol: protocol, Phase: phase, Step: step, Path: path, Cookie: s.cookie, JSON: true, Body: SealedRequest(s.cipher.Seal(request)),
	})
	if err != nil {
		return nil, err
	}
	switch {
	case s.token != "":
		err = answer.OverSession(step)
	case answer.Status != http.StatusOK:
		err = &httpwire.StatusError{Step: step, Status: answer.Status}
	}
	if err != nil {
		return nil, err
	}
	reply, ok := DecodeReply(answer.Body)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: %w: not JSON with an error code", step, plugerr.ErrBadReply)
	case reply.Code() != 0:
		return nil, s.refusal(step, reply.Code())
	}
	plain, err := s.cipher.Open(string(reply.Result.Response))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", step, plugerr.ErrBadReply, err)
	}
	return plain, nil
}

// refusal returns the error for a code. Before the login, the code for wrong credentials
// does not mean that the session is lost.
func (s *Session) refusal(step string, code int) error {
	if plugerr.LosesSession(code) && (s.token != "" || code != plugerr.CodeLogin) {
		return fmt.Errorf("%s: %w: error_code %d", step, plugerr.ErrSessionLost, code)
	}
	return &plugerr.CodeError{Step: step, Code: code}
}
