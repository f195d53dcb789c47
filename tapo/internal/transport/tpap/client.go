// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

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
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/spake2plus"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// protocol labels the exchanges of this package.
const protocol = plug.TPAP

var (
	// ErrNotTPAP means that the host does not speak TPAP, or no longer.
	ErrNotTPAP = errors.New("not an answer of TPAP's")
	// ErrOutcomeUnknown means that the plug may or may not have counted an attempt.
	ErrOutcomeUnknown = errors.New("the outcome of the login is not known")
	// ErrImpostor means that the plug's proof is wrong: it does not have the password.
	ErrImpostor = errors.New("pake_share: the plug did not prove that it knows the password")
)

// Speaks is the meaning of a reply to discover.
type Speaks int

// The replies to discover. Firmware before TPAP replies with 1003. Firmware with TPAP and
// Third-Party Compatibility replies without a `tpap` object (python-kasa/python-kasa#1592).
const (
	SpeaksNothing Speaks = iota // the reply of an old plug, or of another device
	SpeaksOlder                 // the plug does not have TPAP
	SpeaksKLAP                  // the plug has TPAP, and speaks KLAP
	SpeaksTPAP
	SpeaksGarbled // the reply is damaged or too long, or the plug failed to reply
)

// Ask sends discover, and also returns the reply. It needs no credentials and costs no
// attempt. Errors are those of [httpwire.Client.Post], a [*Refusal] if the plug is locked,
// or, with SpeaksTPAP, an [*UnsupportedError]. With SpeaksGarbled, the error is what is
// wrong with the reply.
func Ask(ctx context.Context, w *httpwire.Client) (Speaks, Announcement, httpwire.Reply, error) {
	reply, err := w.Post(ctx, httpwire.Request{
		Protocol: protocol, Phase: plug.Ask, Step: Discover, Path: "/", JSON: true,
		Body: []byte(`{"method":"login","params":{"sub_method":"discover"}}`),
	})
	switch {
	case errors.Is(err, plugerr.ErrBadReply): // such as the web page of another device
		return SpeaksGarbled, Announcement{}, reply, fmt.Errorf("%s: %w", Discover, plugerr.ErrBadReply)
	case err != nil:
		return SpeaksNothing, Announcement{}, reply, err
	case reply.Status >= http.StatusInternalServerError:
		return SpeaksGarbled, Announcement{}, reply, &httpwire.StatusError{Step: Discover, Status: reply.Status}
	case reply.Status == http.StatusOK && !json.Valid(reply.Body) && !httpwire.IsHTML(reply.Body):
		return SpeaksGarbled, Announcement{}, reply, fmt.Errorf("%s: %w: not JSON", Discover, plugerr.ErrBadReply)
	}
	speaks, a, err := understand(reply)
	return speaks, a, reply, err
}

// understand returns the meaning of a sound reply to discover.
func understand(reply httpwire.Reply) (Speaks, Announcement, error) {
	result, ok, err := decode(Discover, reply)
	if refusal, refused := errors.AsType[*Refusal](err); refused {
		switch {
		case refusal.Locked():
			return SpeaksTPAP, Announcement{}, refusal
		case refusal.Code == plugerr.CodeUnknownTransport:
			return SpeaksOlder, Announcement{}, nil
		}
	}
	if !ok || err != nil {
		return SpeaksNothing, Announcement{}, nil //nolint:nilerr // any other reply is not one of TPAP
	}
	var answer struct {
		Step      lenient.Text    `json:"sub_method"`
		Preferred lenient.Flag    `json:"tpap_preferred"`
		MAC       lenient.Text    `json:"mac"`
		TPAP      json.RawMessage `json:"tpap"`
	}
	lenient.Unmarshal(result, &answer)
	switch announced := string(answer.TPAP); {
	case announced != "" && announced != "null":
		a, err := parseAnnouncement(answer.TPAP, string(answer.MAC))
		return SpeaksTPAP, a, err
	case answer.Step == Discover || answer.Preferred.Valid:
		return SpeaksKLAP, Announcement{}, nil
	}
	return SpeaksNothing, Announcement{}, nil // JSON of another kind
}

// Challenge is a plug's reply to pake_register, the input of the proof. It can be used
// for one [Challenge.Share].
type Challenge struct {
	Salt       []byte
	Iterations int
	ExtraCrypt json.RawMessage

	binding  spake2plus.Binding
	devShare []byte
	attests  bool
}

// Register gets a challenge. The request does not depend on the password, so a plug does
// not count it. Errors are those of [httpwire.Client.Post], an [*UnsupportedError], a
// [*Refusal], or wrap [ErrNotTPAP], [httpwire.StatusError] or [plugerr.ErrBadReply].
func Register(ctx context.Context, w *httpwire.Client, a Announcement) (*Challenge, error) {
	username, err := a.Username()
	if err != nil {
		return nil, err
	}
	passcode, err := a.PasscodeType()
	if err != nil {
		return nil, err
	}
	userRandom := make([]byte, RandomSize)
	rand.Read(userRandom)
	result, err := post(ctx, w, PakeRegister, false, RegisterParams{
		Step: PakeRegister, Username: username, UserRandom: userRandom,
		CipherSuites: []int{Suite}, Encryption: []string{Cipher}, PasscodeType: passcode,
	})
	if err != nil {
		return nil, err
	}
	var r RegisterResult
	lenient.Unmarshal(result, &r)
	ch, err := r.challenge(userRandom)
	if err != nil {
		return nil, err
	}
	ch.attests = a.Attests && a.TLS == 0
	return ch, nil
}

// challenge checks the plug's choices, and decodes the challenge.
func (r RegisterResult) challenge(userRandom []byte) (*Challenge, error) {
	cipher := strings.ReplaceAll(strings.ToLower(string(r.Encryption)), "-", "_")
	iterations := lenient.Number{Value: DefaultIterations, Valid: true}
	if r.Iterations != nil {
		iterations = *r.Iterations
	}
	switch n := iterations.Value; {
	case !r.CipherSuite.Valid || cipher == "" || !iterations.Valid:
		return nil, fmt.Errorf("%s: %w: cipher_suites, encryption or iterations is missing or of the wrong type", PakeRegister, plugerr.ErrBadReply)
	case r.CipherSuite.Value != Suite:
		return nil, unsupported("cipher suite %v (want %d)", r.CipherSuite.Value, Suite)
	case cipher != Cipher:
		return nil, unsupported("the session cipher %q (want %s)", r.Encryption, Cipher)
	case n < 1 || n > MaxIterations || n != math.Trunc(n):
		return nil, unsupported("%.0f iterations (want 1 to %d)", n, MaxIterations)
	}
	ch := &Challenge{Iterations: int(iterations.Value), ExtraCrypt: r.ExtraCrypt}
	var devRandom []byte
	for _, m := range []struct {
		name string
		text lenient.Text
		into *[]byte
	}{{"dev_random", r.DevRandom, &devRandom}, {"dev_salt", r.DevSalt, &ch.Salt}, {"dev_share", r.DevShare, &ch.devShare}} {
		b, err := unbase64(m.text)
		if err != nil || len(b) == 0 {
			return nil, fmt.Errorf("%s: %w: %s is missing or no base64", PakeRegister, plugerr.ErrBadReply, m.name)
		}
		*m.into = b
	}
	ch.binding = Binding(userRandom, devRandom)
	return ch, nil
}

// shareTime is the least time that must be left for the plug to check a proof.
const shareTime = time.Second

// Share sends the client's proof, and checks the plug's. The plug counts a wrong proof as
// an attempt; prove is called right before it is sent, and may take time. Errors after the proof was sent are a [*Refusal], or wrap [ErrImpostor] or
// [ErrOutcomeUnknown]. With any other error, nothing was sent.
func (ch *Challenge) Share(ctx context.Context, w *httpwire.Client, secret *spake2plus.Secret, prove func()) (*Session, error) {
	prover, err := secret.Prove()
	if err != nil {
		return nil, err
	}
	keys, err := prover.Finish(ch.binding, ch.devShare)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: dev_share: %w", PakeRegister, plugerr.ErrBadReply, err)
	}
	params := ShareParams{Step: PakeShare, UserShare: prover.Share(), UserConfirm: keys.ConfirmP}
	if ch.attests {
		params.DACNonce = make([]byte, RandomSize)
		rand.Read(params.DACNonce)
	}
	prove()
	if err := w.Connect(ctx); err != nil { // a kept connection may be dead, which would leave the outcome unknown
		return nil, err
	}
	// If the reply comes too late, the outcome is unknown.
	if end, ok := ctx.Deadline(); ok && time.Until(end) < max(2*w.Took(PakeRegister), shareTime) {
		return nil, fmt.Errorf("%s: not sent, the plug is too slow for the time that is left: %w", PakeShare, context.DeadlineExceeded)
	}
	result, err := post(ctx, w, PakeShare, true, params)
	if refusal, ok := errors.AsType[*Refusal](err); ok && (refusal.Locked() || refusal.Rejects()) {
		return nil, refusal
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
	}
	var r ShareResult
	lenient.Unmarshal(result, &r)
	devConfirm, err := unbase64(r.DevConfirm)
	if err != nil || subtle.ConstantTimeCompare(devConfirm, keys.ConfirmV) != 1 {
		return nil, ErrImpostor
	}
	w.Close() // the session begins on a new connection, see roundTrip
	return r.session(w, keys.Shared)
}

// session returns the session of a login. The plug's proof must have been right.
func (r ShareResult) session(w *httpwire.Client, shared []byte) (*Session, error) {
	bad := func(what string) error {
		return fmt.Errorf("%w: %s: %w: %s", ErrOutcomeUnknown, PakeShare, plugerr.ErrBadReply, what)
	}
	token := string(r.Token)
	if token == "" {
		token = string(r.SessionID)
	}
	seq := r.StartSeq.Value
	switch {
	case token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c >= 0x7f }):
		return nil, bad("stok is missing, or has characters that no URL can have")
	case !r.StartSeq.Valid || seq != math.Trunc(seq) || seq < math.MinInt32 || seq > math.MaxUint32:
		return nil, bad("start_seq is missing or no 32-bit number")
	}
	frames, err := NewFrames(shared)
	if err != nil {
		return nil, err
	}
	s := &Session{wire: w, frames: frames, path: Path(token), seq: uint32(int64(seq))} //nolint:gosec // two's complement is meant
	if e := r.Expired.Value; e > 0 {
		s.lifetime = time.Duration(min(e, 1e9)) * time.Second
	}
	return s, nil
}

// post sends a login step and returns the result.
func post(ctx context.Context, w *httpwire.Client, step string, once bool, params any) (json.RawMessage, error) {
	body, err := json.Marshal(struct {
		Method string `json:"method"`
		Params any    `json:"params"`
	}{"login", params})
	if err != nil {
		return nil, err
	}
	reply, err := w.Post(ctx, httpwire.Request{Protocol: protocol, Phase: plug.LogIn, Step: step, Path: "/", JSON: true, Body: body, Once: once, Patient: once})
	if err != nil {
		return nil, err
	}
	if status := reply.Status; status != http.StatusOK {
		err := &httpwire.StatusError{Step: step, Status: status}
		if status >= http.StatusInternalServerError {
			return nil, err // the plug may speak TPAP and be unable to for the moment
		}
		return nil, fmt.Errorf("%w: %w", ErrNotTPAP, err)
	}
	result, ok, err := decode(step, reply)
	if !ok {
		return nil, fmt.Errorf("%s: %w: %w", step, plugerr.ErrBadReply, ErrNotTPAP)
	}
	return result, err
}

// Session exchanges messages over a login. It is not safe for concurrent use: a plug
// requires increasing sequence numbers.
type Session struct {
	wire     *httpwire.Client
	frames   *Frames
	path     string // with the token
	seq      uint32 // of the next request; it wraps around
	sent     uint32 // the number of requests sent
	lifetime time.Duration
}

// Lifetime returns the session's lifetime as the plug announced it, 0 if it did not.
func (s *Session) Lifetime() time.Duration { return s.lifetime }

// RoundTrip sends one JSON request and returns the JSON reply. If the plug closes the
// connection without a reply, RoundTrip sends the request once more, under the next
// sequence number; but not the first request of a session. An error wraps
// [plugerr.ErrSessionLost] or [plugerr.ErrOutOfSync] if a new login is needed,
// [plugerr.ErrRefused] if one may help, or [plugerr.ErrBadReply]. It may also be a
// [*transport.Rejected] if the plug has locked itself, a [*httpwire.StatusError], or one
// of the network. After an error of the network, the session may or may not be valid.
func (s *Session) RoundTrip(ctx context.Context, request []byte) ([]byte, error) {
	text, err := s.roundTrip(ctx, request)
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return nil, lockedBy(refusal)
	}
	return text, err
}

func (s *Session) roundTrip(ctx context.Context, request []byte) ([]byte, error) {
	text, err := s.exchange(ctx, request)
	switch {
	case !errors.Is(err, httpwire.ErrNoReply) || ctx.Err() != nil:
		return text, err
	case s.sent == 1: // the connection was new, so the plug did not close it for being idle
		return nil, fmt.Errorf("%w: %w", plugerr.ErrOutOfSync, err)
	}
	return s.exchange(ctx, request)
}

func (s *Session) exchange(ctx context.Context, request []byte) ([]byte, error) {
	const step = "request"
	if s.sent == math.MaxUint32 { // the same number twice would reveal the text
		return nil, fmt.Errorf("%s: %w: sequence numbers are used up", step, plugerr.ErrSessionLost)
	}
	seq := s.seq
	s.seq++
	s.sent++
	reply, err := s.wire.Post(ctx, httpwire.Request{
		Protocol: protocol, Phase: plug.Read, Step: step, Path: s.path, Body: s.frames.Seal(seq, request), Once: true,
	})
	if err != nil {
		return nil, err
	}
	if err := reply.OverSession(step); err != nil {
		return nil, err
	}
	text, err := s.frames.Open(seq, reply.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", step, plainRefusal(step, reply.Body, err))
	}
	return text, nil
}

// plainRefusal returns the error for a reply that did not open. A refusal is a JSON object
// in clear. The first byte does not distinguish it: a frame may begin with any byte. The
// codes that end a session are those of mihai-dinculescu/tapo and
// python-kasa/python-kasa#1714.
func plainRefusal(step string, body []byte, opening error) error {
	var e struct {
		ErrorCode lenient.Number `json:"error_code"`
	}
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' || json.Unmarshal(body, &e) != nil || !e.ErrorCode.Valid || e.ErrorCode.Value == 0 {
		return fmt.Errorf("%w: %w", plugerr.ErrBadReply, opening)
	}
	switch code := int(e.ErrorCode.Value); code {
	case CodeLocked:
		_, _, err := decode(step, httpwire.Reply{Status: http.StatusOK, Body: body})
		return err
	case CodeDenied, codeUnknownSession, plugerr.CodeSessionExpired, codeTag, codeToken, plugerr.CodeInvalidNonce,
		plugerr.CodeSessionTimeout, plugerr.CodeTransportNotAvail:
		return fmt.Errorf("%w: error_code %d", plugerr.ErrSessionLost, code)
	default:
		return fmt.Errorf("%w: %w", plugerr.ErrRefused, &plugerr.CodeError{Step: step, Code: code})
	}
}
