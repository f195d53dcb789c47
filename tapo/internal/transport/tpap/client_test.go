// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
)

// scripted is a plug that answers what a test says and keeps what it was sent.
type scripted struct {
	*httpwire.Client
	answers      []string
	bodies       []string
	paths        []string
	contentTypes []string
}

func newScripted(t *testing.T, answers ...string) *scripted {
	t.Helper()
	s := &scripted{answers: answers}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || len(s.answers) == 0 {
			t.Errorf("request %d: %v", len(s.bodies)+1, err)
			return
		}
		s.bodies, s.paths = append(s.bodies, string(body)), append(s.paths, r.RequestURI)
		s.contentTypes = append(s.contentTypes, r.Header.Get("Content-Type"))
		_, _ = io.WriteString(w, s.answers[0])
		s.answers = s.answers[1:]
	}))
	t.Cleanup(server.Close)
	s.Client = httpwire.NewClient(httpwire.Options{Address: strings.TrimPrefix(server.URL, "http://"), Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(s.Close)
	return s
}

// registerReply is the plug's of the first vector.
func registerReply(t *testing.T) string {
	t.Helper()
	v := load(t)
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf(`{"error_code":0,"result":{"dev_random":"%s","dev_salt":"%s","dev_share":"%s","cipher_suites":1,"iterations":3000,`+
		`"encryption":"aes_128_ccm"}}`, b64(v.Inputs.DevRandom), b64(v.Handshakes[0].DevSalt), b64(v.Handshakes[0].Y))
}

// TestRequests compares with the text of requests as real plugs take them. The
// simulated plug reads them with the types that wrote them, so it would not
// notice a member with another name.
func TestRequests(t *testing.T) {
	const denied = `{"error_code":-2203}`
	s := newScripted(t,
		`{"error_code":0,"result":{"sub_method":"discover","mac":"AA-BB-CC-00-11-22","tpap":{"tls":0,"dac":0,"noc":0,"pake":[2],"port":80}}}`,
		registerReply(t), denied, registerReply(t), denied)
	speaks, announced, _, err := Ask(t.Context(), s.Client)
	if err != nil || speaks != SpeaksTPAP || announced.MAC != "AABBCC001122" {
		t.Fatalf("%v %+v, %v", speaks, announced, err)
	}
	for _, announced.Attests = range []bool{false, true} {
		ch, err := Register(t.Context(), s.Client, announced)
		if err != nil {
			t.Fatal(err)
		}
		secret, _, err := new(Deriver).Secret(Account{Username: "u", Password: "p"}, ch)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ch.Share(t.Context(), s.Client, secret, func() {}); err == nil {
			t.Fatal("no error")
		}
	}
	const (
		random = `"([A-Za-z0-9+/]{43}=)"` // 32 bytes in base64
		point  = `"(B[A-P][A-Za-z0-9+/]{85}=)"`

		register = `{"method":"login","params":{"sub_method":"pake_register","username":"21232f297a57a5a743894a0e4a801fc3","user_random":` + random +
			`,"cipher_suites":\[1\],"encryption":\["aes_128_ccm"\],"passcode_type":"userpw","stok":null}}`
		share = `{"method":"login","params":{"sub_method":"pake_share","user_share":` + point + `,"user_confirm":` + random
	)
	seen := map[string]bool{strings.Repeat("A", 43) + "=": true} // zeros
	for i, want := range []string{
		`{"method":"login","params":{"sub_method":"discover"}}`,
		register, share + `}}`, register, share + `,"dac_nonce":` + random + `}}`,
	} {
		m := regexp.MustCompile(`^` + want + `$`).FindStringSubmatch(s.bodies[i])
		if m == nil {
			t.Errorf("request %d: %s, want %s", i+1, s.bodies[i], want)
			continue
		}
		for _, value := range m[1:] {
			if seen[value] {
				t.Errorf("request %d: %s is not new", i+1, value)
			}
			seen[value] = true
		}
		if s.paths[i] != "/" || s.contentTypes[i] != "application/json" {
			t.Errorf("request %d: %s, %s", i+1, s.paths[i], s.contentTypes[i])
		}
	}
}

// TestLoginOverTLS: the attestation is for plain HTTP alone.
func TestLoginOverTLS(t *testing.T) {
	s := newScripted(t, registerReply(t))
	ch, err := Register(t.Context(), s.Client, Announcement{TLS: 1, Attests: true, Pake: []int{2}})
	if err != nil || ch.attests {
		t.Errorf("%+v, %v", ch, err)
	}
}

func testSession(t *testing.T, s *scripted, seq uint32) *Session {
	t.Helper()
	frames, err := NewFrames(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return &Session{wire: s.Client, frames: frames, path: Path("to!ken"), seq: seq}
}

func TestDataRequest(t *testing.T) {
	s := newScripted(t, `{"error_code":-1}`)
	session := testSession(t, s, math.MaxUint32)
	if _, err := session.RoundTrip(t.Context(), []byte("text")); !errors.Is(err, plugerr.ErrRefused) {
		t.Errorf("got %v", err)
	}
	if want := string(session.frames.Seal(math.MaxUint32, []byte("text"))); s.bodies[0] != want || session.seq != 0 {
		t.Errorf("sent %x, want %x; next %d", s.bodies[0], want, session.seq)
	}
	if s.paths[0] != "/stok=to!ken/ds" || s.contentTypes[0] != "application/octet-stream" {
		t.Errorf("%s, %s", s.paths[0], s.contentTypes[0])
	}
}

func TestDataReplies(t *testing.T) {
	brace := uint32(0x7b226572) // the number's bytes are the beginning of `{"error_code"`
	for body, want := range map[string]error{
		`{"error_code":-2203}`:                       plugerr.ErrSessionLost,
		`{"error_code":-2402}`:                       plugerr.ErrSessionLost,
		`{"error_code":-40401}`:                      plugerr.ErrSessionLost,
		`{"error_code":-40413}`:                      plugerr.ErrSessionLost,
		`{"error_code":-40420}`:                      plugerr.ErrSessionLost,
		`{"error_code":-40421}`:                      plugerr.ErrSessionLost,
		`{"error_code":9999}`:                        plugerr.ErrSessionLost,
		`{"error_code":1002}`:                        plugerr.ErrSessionLost,
		"{\"error_code\":\"-2203\", \"msg\":\"\"}\n": plugerr.ErrSessionLost,
		`{"error_code":-1003}`:                       plugerr.ErrRefused,
		`{"error_code":-2203}x`:                      plugerr.ErrBadReply,
		`{"error_code":0}`:                           plugerr.ErrBadReply,
		`{"error_code":0,"result":{}}`:               plugerr.ErrBadReply,
		`{"result":{}}`:                              plugerr.ErrBadReply,
		`[{"error_code":-2203}]`:                     plugerr.ErrBadReply,
		`{"error`:                                    plugerr.ErrBadReply,
		``:                                           plugerr.ErrBadReply,
		"<html></html>":                              plugerr.ErrBadReply,
	} {
		s := newScripted(t, body)
		if _, err := testSession(t, s, brace).RoundTrip(t.Context(), nil); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", body, err, want)
		}
	}
	sealed := testSession(t, newScripted(t), brace).frames.Seal(brace, []byte(`{"error_code":-2203}`))
	if text, err := testSession(t, newScripted(t, string(sealed)), brace).RoundTrip(t.Context(), nil); err != nil || !bytes.Contains(text, []byte("-2203")) {
		t.Errorf("a sealed answer that begins as JSON does: %q, %v", text, err)
	}
	locked := newScripted(t, `{"error_code":-2101,"error_info":{"lockedMinute":7}}`)
	_, err := testSession(t, locked, 1).RoundTrip(t.Context(), nil)
	if r, ok := errors.AsType[*transport.Rejected](err); !ok || r.Verdict != transport.Locked || r.Lock != 7*time.Minute {
		t.Errorf("locked: %v", err)
	}
}

// TestNumbersEnd: no sequence number is used twice, even if that takes a
// lifetime.
func TestNumbersEnd(t *testing.T) {
	s := newScripted(t)
	session := testSession(t, s, 5)
	session.sent = math.MaxUint32
	if _, err := session.RoundTrip(t.Context(), nil); !errors.Is(err, plugerr.ErrSessionLost) || len(s.bodies) != 0 {
		t.Errorf("%v after %d requests", err, len(s.bodies))
	}
}

func TestChallengeLimits(t *testing.T) {
	for value, want := range map[string]int{`1`: 1, `5000`: 5000, `100000`: 100_000, `null`: 10_000} {
		var r RegisterResult
		reply := strings.Replace(registerReply(t), `"iterations":3000`, `"iterations":`+value, 1)
		if err := json.Unmarshal([]byte(reply), &struct {
			Result *RegisterResult `json:"result"`
		}{&r}); err != nil {
			t.Fatal(err)
		}
		if ch, err := r.challenge(make([]byte, RandomSize)); err != nil || ch.Iterations != want {
			t.Errorf("%s: %+v, %v", value, ch, err)
		}
	}
	r := ShareResult{Token: "t", StartSeq: lenient.Number{Valid: true}, Expired: lenient.Number{Value: 1e300, Valid: true}}
	if s, err := r.session(nil, make([]byte, 32)); err != nil || s.Lifetime() < 24*time.Hour {
		t.Errorf("lifetime %+v, %v", s, err)
	}
}

// FuzzLogin feeds one answer to all three steps.
func FuzzLogin(f *testing.F) {
	for _, s := range []string{
		`{"error_code":0,"result":{"sub_method":"discover","mac":"AA-BB-CC-DD-EE-FF","tpap":{"tls":0,"dac":0,"noc":0,"pake":[2],"port":80}}}`,
		`{"error_code":0,"result":{"dev_random":"gIGCgw==","dev_salt":"oKGio6SlpqeoqaqrrK2urw==","dev_share":"BA==","cipher_suites":1,"iterations":3000,"encryption":"aes_128_ccm","extra_crypt":{"type":"password_shadow","params":{"passwd_id":2}}}}`,
		`{"error_code":0,"result":{"dev_confirm":"0qC9q+AziTOZQQ4IOiVjAzjHqKqWMHyi75XZcDWfBQg=","stok":"0123","start_seq":-2,"expired":3600}}`,
		`{"error_info":{"lockedMinute":0,"failedAttempts":1,"remainAttempts":14},"error_code":-2203}`,
		`{"err_code":-40404,"data":{"sec_left":1700}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, step := range []string{Discover, PakeRegister, PakeShare} {
			result, ok, err := decode(step, httpwire.Reply{Status: 200, Body: body})
			if refusal, refused := errors.AsType[*Refusal](err); refused && (refusal.Code == 0 || refusal.Lock < 0) {
				t.Errorf("%+v", refusal)
			}
			if !ok || err != nil {
				continue
			}
			var r RegisterResult
			lenient.Unmarshal(result, &r)
			if ch, err := r.challenge(make([]byte, RandomSize)); err == nil {
				if ch.Iterations < 1 || ch.Iterations > MaxIterations || len(ch.Salt) == 0 || len(ch.devShare) == 0 {
					t.Errorf("%+v", ch)
				}
				_, _ = Account{"user", "password", "AABBCC001122"}.Credential(ch.ExtraCrypt)
			}
			var s ShareResult
			lenient.Unmarshal(result, &s)
			if session, err := s.session(nil, make([]byte, 32)); err == nil && (session.Lifetime() < 0 || strings.ContainsAny(session.path, " ?#")) {
				t.Errorf("%+v", session)
			}
			if a, err := parseAnnouncement(result, "AA:BB"); err == nil && (a.TLS < 0 || a.TLS > 2 || a.Port < 0 || a.Port > 65535) {
				t.Errorf("%+v", a)
			}
		}
	})
}
