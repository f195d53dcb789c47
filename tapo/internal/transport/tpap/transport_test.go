// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func tpapPlug(o simulator.TPAPOptions) *simulator.Plug {
	return &simulator.Plug{Model: simulator.P110TPAP, Load: simulator.Constant(60), TPAP: o}
}

// TestLoginAndRead logs in to plugs that do it each in its own way: four round trips
// for the first read, one for the next, four when the session was lost (one to learn it).
func TestLoginAndRead(t *testing.T) {
	shadow := func(params string) simulator.TPAPOptions {
		return simulator.TPAPOptions{ExtraCrypt: `{"type":"password_shadow","params":` + params + `}`}
	}
	for name, o := range map[string]simulator.TPAPOptions{
		"as in the field":                {},
		"no extra_crypt":                 {ExtraCrypt: "null"},
		"MD5-crypt":                      shadow(`{"passwd_id":1,"passwd_prefix":"$1$Zx81pQ2r$"}`),
		"SHA-256-crypt":                  shadow(`{"passwd_id":5,"passwd_prefix":"$5$n4vAaM3cBqk0Zr9T$","passwd_rounds":5000}`),
		"SHA-256-crypt, rounds":          shadow(`{"passwd_id":"5","passwd_prefix":"$5$n4vAaM3cBqk0Zr9T$","passwd_rounds":"1234"}`),
		"salted SHA-256":                 {ExtraCrypt: `{"type":"password_sha_with_salt","params":{"sha_name":1,"sha_salt":"cGVwcGVyLTE="}}`},
		"SHA-256 user name":              {UserHashType: 1},
		"passcode type 5":                {Pake: []int{5}},
		"short w0":                       {ShortW0: true, Iterations: 50},
		"negative start":                 {StartSeq: new(int32(-1))},
		"highest start":                  {StartSeq: new(int32(math.MaxInt32))},
		"lowest start":                   {StartSeq: new(int32(math.MinInt32))},
		"frames that begin as JSON does": {StartSeq: new(int32(0x7b226572))},
		"punctuation in the token":       {Token: "a!*()~'b"},
		"a token that must be escaped":   {Token: "100%?#a/b"},
		"attestation":                    {Attests: true},
		"TLS, any certificate":           {TLS: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plugtest.Start(t, tpapPlug(o))
			d := plugtest.Device(t, p)
			for i, want := range []int{4, 1, 1} {
				got := plugtest.Requests(p, func() {
					if r := plugtest.Read(t, d); r.Protocol != tapo.TPAP || r.Outlets[0].Power != tapo.Some(60.0) {
						t.Errorf("read %+v", r)
					}
				})
				if got != want {
					t.Errorf("read %d: %d round trips, want %d", i+1, got, want)
				}
			}
			p.LoseSession()
			if got := plugtest.Requests(p, func() { plugtest.Read(t, d) }); got != 5 { // which plug it is, is asked anew
				t.Errorf("after a loss: %d round trips, want 5", got)
			}
			if got := p.Stats().LoginFailures; got != 0 {
				t.Errorf("%d attempts failed", got)
			}
		})
	}
}

// TestSpellings has what firmware may write in another way.
func TestSpellings(t *testing.T) {
	edit := func(step, member string, value any) simulator.Fault {
		return simulator.Fault{Path: step, Rewrite: func(body []byte) []byte { return setMember(t, body, member, value) }}
	}
	for name, fault := range map[string]simulator.Fault{
		"cipher":           edit("pake_register", "encryption", "AES-128-CCM"),
		"suite":            edit("pake_register", "cipher_suites", "1"),
		"iterations":       edit("pake_register", "iterations", "3000"),
		"no expiry":        edit("pake_share", "expired", nil),
		"unsigned start":   edit("pake_share", "start_seq", uint32(4294967293)),
		"announced as web": edit("discover", "tpap", map[string]any{"tls": 0, "pake": []any{"2"}, "port": 80}),
		"no port":          edit("discover", "tpap", map[string]any{"pake": []int{2}}),
		"sessionId": {Path: "pake_share", Rewrite: func(body []byte) []byte {
			return []byte(strings.Replace(string(body), `"stok"`, `"sessionId"`, 1))
		}},
		"no padding": {Path: "pake_register", Rewrite: func(body []byte) []byte {
			return []byte(strings.ReplaceAll(string(body), "=", ""))
		}},
	} {
		p := plugtest.Start(t, tpapPlug(simulator.TPAPOptions{StartSeq: new(int32(-3))}))
		p.Inject(fault)
		d := plugtest.Device(t, p)
		for range 5 {
			plugtest.Read(t, d)
		}
		if got := p.Stats().Logins; got != 1 {
			t.Errorf("%s: %d logins", name, got)
		}
	}
}

// TestUnsupportedAnswers has what a plug may announce or answer that leads nowhere:
// no attempt may be spent on it.
func TestUnsupportedAnswers(t *testing.T) {
	edit := func(step, member string, value any) simulator.Fault {
		return simulator.Fault{Path: step, Rewrite: func(body []byte) []byte { return setMember(t, body, member, value) }}
	}
	const register = "pake_register"
	for _, tc := range []struct {
		name    string
		options simulator.TPAPOptions
		fault   simulator.Fault
		want    tapo.Reason
		text    string // what the error names
	}{
		{name: "cipher suite", fault: edit(register, "cipher_suites", 2), want: tapo.Unsupported, text: "cipher suite 2"},
		{name: "cipher suite, list", fault: edit(register, "cipher_suites", []int{1}), want: tapo.BadReply, text: "cipher_suites"},
		{name: "no cipher suite", fault: edit(register, "cipher_suites", nil), want: tapo.BadReply, text: "cipher_suites"},
		{name: "cipher", fault: edit(register, "encryption", "aes_256_ccm"), want: tapo.Unsupported, text: "aes_256_ccm"},
		{name: "no cipher", fault: edit(register, "encryption", nil), want: tapo.BadReply, text: "encryption"},
		{name: "no iterations to do", fault: edit(register, "iterations", 0), want: tapo.Unsupported, text: "0 iterations"},
		{name: "10 million iterations", fault: edit(register, "iterations", 10_000_000), want: tapo.Unsupported, text: "10000000 iterations"},
		{name: "iterations of the wrong type", fault: edit(register, "iterations", []int{3000}), want: tapo.BadReply, text: "iterations"},
		{
			name: "a formula that reveals the password", want: tapo.Unsupported, text: "password_authkey",
			fault: edit(register, "extra_crypt", map[string]any{"type": "password_authkey", "params": map[string]any{"authkey_tmpkey": "", "authkey_dictionary": "01"}}),
		},
		{name: "unknown extra_crypt", fault: edit(register, "extra_crypt", map[string]any{"type": "password_rot13"}), want: tapo.Unsupported, text: "password_rot13"},
		{name: "extra_crypt of the wrong type", fault: edit(register, "extra_crypt", "password_shadow"), want: tapo.Unsupported, text: "extra_crypt"},
		{name: "no salt", fault: edit(register, "dev_salt", nil), want: tapo.BadReply, text: "dev_salt"},
		{name: "no random number", fault: edit(register, "dev_random", nil), want: tapo.BadReply, text: "dev_random"},
		{name: "a number for a random one", fault: edit(register, "dev_random", 4), want: tapo.BadReply, text: "dev_random"},
		{name: "share is no base64", fault: edit(register, "dev_share", "§"), want: tapo.BadReply, text: "dev_share"},
		{name: "no share", fault: edit(register, "dev_share", nil), want: tapo.BadReply, text: "dev_share"},
		{name: "share at infinity", fault: edit(register, "dev_share", "AA=="), want: tapo.BadReply, text: "dev_share"},
		{name: "share off the curve", fault: edit(register, "dev_share", "BA"+strings.Repeat("A", 85)+"="), want: tapo.BadReply, text: "dev_share"},
		{name: "no result", fault: simulator.Fault{Path: register, Rewrite: func([]byte) []byte { return []byte(`{"error_code":0}`) }}, want: tapo.BadReply, text: register},
		{name: "passcode types", options: simulator.TPAPOptions{Pake: []int{1, 3}}, want: tapo.Unsupported, text: "pake [1 3]"},
		{name: "two kinds of passcodes", options: simulator.TPAPOptions{Pake: []int{0, 2}}, want: tapo.Unsupported, text: "pake [0 2]"},
		{name: "no account", options: simulator.TPAPOptions{Pake: []int{0}}, want: tapo.BadCredentials, text: "set-up passcode"},
		{name: "a login without the password", options: simulator.TPAPOptions{ExtraCrypt: `{"type":"password_shadow","params":{"passwd_id":3}}`}, want: tapo.BadCredentials, text: "takes no part"},
		{name: "a salt that is none", options: simulator.TPAPOptions{}, fault: edit(register, "extra_crypt", map[string]any{"type": "password_shadow", "params": map[string]any{"passwd_id": 1, "passwd_prefix": "$1$"}}), want: tapo.Unsupported, text: "passwd_prefix"},
		{name: "user name", options: simulator.TPAPOptions{UserHashType: 7}, want: tapo.Unsupported, text: "user_hash_type 7"},
		{name: "TLS mode", fault: edit("discover", "tpap", map[string]any{"tls": 3, "pake": []int{2}}), want: tapo.Unsupported, text: `"tls":3`},
		{name: "port", fault: edit("discover", "tpap", map[string]any{"port": 70000, "pake": []int{2}}), want: tapo.Unsupported, text: `"port":70000`},
		{name: "port of another service", fault: edit("discover", "tpap", map[string]any{"port": 22, "pake": []int{2}}), want: tapo.Unsupported, text: "port 22 (want 80"},
		{name: "announcement of the wrong type", fault: edit("discover", "tpap", "yes"), want: tapo.Unsupported, text: `tpap "yes"`},
		{name: "passcode types of the wrong type", fault: edit("discover", "tpap", map[string]any{"pake": []any{"userpw"}}), want: tapo.Unsupported, text: "userpw"},
		{name: "passcode type null", fault: edit("discover", "tpap", map[string]any{"pake": []any{nil}}), want: tapo.Unsupported, text: "null"},
		{name: "TLS of the wrong type", fault: edit("discover", "tpap", map[string]any{"tls": true, "pake": []int{2}}), want: tapo.Unsupported, text: `"tls":true`},
		{name: "a fraction of iterations", fault: edit(register, "iterations", 3000.5), want: tapo.Unsupported, text: "iterations"},
		{name: "one iteration too many", fault: edit(register, "iterations", 100_001), want: tapo.Unsupported, text: "100001 iterations"},
		{name: "a long story", fault: edit(register, "encryption", strings.Repeat("x", 40_000)), want: tapo.Unsupported, text: "xxx…"},
		{name: "certificate", options: simulator.TPAPOptions{TLS: 2}, want: tapo.NotAPlug, text: "device root"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := plugtest.Start(t, tpapPlug(tc.options))
			if tc.fault.Rewrite != nil {
				p.Inject(tc.fault)
			}
			if e := plugtest.Failure(t, plugtest.Device(t, p), tc.want); !strings.Contains(e.Error(), tc.text) {
				t.Errorf("%v: no %q", e, tc.text)
			}
			if s := p.Stats(); s.Steps["pake_share"] != 0 || s.Steps["/ds"] != 0 {
				t.Errorf("steps %v", s.Steps)
			}
		})
	}
}

// setMember replaces a member of an answer's result; nil takes it out.
func setMember(t *testing.T, body []byte, member string, value any) []byte {
	t.Helper()
	var answer struct {
		ErrorCode int            `json:"error_code"`
		Result    map[string]any `json:"result"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Result == nil {
		t.Errorf("%s: %v", body, err)
		return body
	}
	delete(answer.Result, member)
	if value != nil {
		answer.Result[member] = value
	}
	out, err := json.Marshal(answer)
	if err != nil {
		t.Error(err)
	}
	return out
}

// TestBadShareReplies: once the proof is sent, nothing may be sent again
// before it is known, or time has passed.
func TestBadShareReplies(t *testing.T) {
	const share = "pake_share"
	edit := func(member string, value any) simulator.Fault {
		return simulator.Fault{Path: share, Rewrite: func(body []byte) []byte { return setMember(t, body, member, value) }}
	}
	for name, tc := range map[string]struct {
		fault simulator.Fault
		want  tapo.Reason
	}{
		"wrong dev_confirm":               {simulator.Fault{Kind: simulator.BadConfirm, Path: share}, tapo.BadReply},
		"no dev_confirm":                  {edit("dev_confirm", nil), tapo.BadReply},
		"dev_confirm of the wrong type":   {edit("dev_confirm", 1), tapo.BadReply},
		"dev_confirm, other letter case":  {simulator.Fault{Path: share, Rewrite: swapCase}, tapo.BadReply},
		"no token":                        {edit("stok", nil), tapo.BadReply},
		"a token with a line break":       {edit("stok", "a\r\nHost: b"), tapo.BadReply},
		"a token with a blank":            {edit("stok", "a b"), tapo.BadReply},
		"no start_seq":                    {edit("start_seq", nil), tapo.BadReply},
		"start_seq of 33 bits":            {edit("start_seq", int64(1)<<32), tapo.BadReply},
		"start_seq with a fraction":       {edit("start_seq", 1.5), tapo.BadReply},
		"no result":                       {simulator.Fault{Path: share, Rewrite: func([]byte) []byte { return []byte(`{"error_code":0}`) }}, tapo.BadReply},
		"truncated":                       {simulator.Fault{Kind: simulator.Truncate, Path: share}, tapo.BadReply},
		"a web page":                      {simulator.Fault{Kind: simulator.HTML, Path: share}, tapo.BadReply},
		"reset":                           {simulator.Fault{Kind: simulator.Reset, Path: share}, tapo.Unreachable},
		"500":                             {simulator.Fault{Kind: simulator.Status, Status: 500, Path: share}, tapo.PlugError},
		"a code that is not on record":    {simulator.Fault{Kind: simulator.Code, Code: -1008, Path: share}, tapo.PlugError},
		"login refused, by an older code": {simulator.Fault{Kind: simulator.Code, Code: -1501, Path: share}, tapo.BadCredentials},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plugtest.Start(t, tpapPlug(simulator.TPAPOptions{}))
			p.Inject(tc.fault)
			d := plugtest.Device(t, p)
			plugtest.Fails(t, d, tc.want)
			plugtest.Fails(t, d, tapo.LoginBackoff)
			if s := p.Stats(); s.Steps[share] != 1 || s.Steps["/ds"] != 0 {
				t.Errorf("steps %v", s.Steps)
			}
		})
	}
}

// swapCase damages base64 in a way that is easy to overlook.
func swapCase(body []byte) []byte {
	before, after, _ := strings.Cut(string(body), `"dev_confirm":"`)
	confirm, rest, _ := strings.Cut(after, `"`)
	return []byte(before + `"dev_confirm":"` + strings.ToLower(confirm) + `"` + rest)
}

// TestTLSIsNotDowngraded: a plug that has been read over HTTPS is not read over
// HTTP because an answer that anybody could have sent says so.
func TestTLSIsNotDowngraded(t *testing.T) {
	p := plugtest.Start(t, tpapPlug(simulator.TPAPOptions{TLS: 1}))
	d := plugtest.Device(t, p)
	plugtest.Read(t, d)
	p.Inject(simulator.Fault{Path: "discover", Rewrite: func(body []byte) []byte {
		return setMember(t, body, "tpap", map[string]any{"tls": 0, "pake": []int{2}, "port": 80})
	}})
	p.LoseSession()
	plugtest.Read(t, d)
	if got := p.Stats().Steps["discover"]; got != 2 {
		t.Errorf("asked %d times, want 2", got)
	}
}

// TestMovedPort: a plug that has logged us in at a port of its own may use
// another one later.
func TestMovedPort(t *testing.T) {
	p := plugtest.Start(t, tpapPlug(simulator.TPAPOptions{TLS: 1}))
	moved := false
	d := plugtest.Device(t, p, func(c *tapo.Config) {
		c.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if moved && address != p.Addr().String() {
				moved = false
				return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
	})
	plugtest.Read(t, d)
	moved = true
	p.LoseSession()
	plugtest.Fails(t, d, tapo.Unreachable)
	plugtest.Read(t, d)
	if moved || p.Stats().Steps["discover"] != 3 { // by each login
		t.Errorf("moved %t, steps %v", moved, p.Stats().Steps)
	}
}

// TestSequenceNumbers goes through the wrap.
func TestSequenceNumbers(t *testing.T) {
	p := plugtest.Start(t, tpapPlug(simulator.TPAPOptions{StartSeq: new(int32(-3))}))
	d := plugtest.Device(t, p)
	for i := range 8 {
		plugtest.Read(t, d)
		if got := p.Stats().Logins; got != 1 {
			t.Fatalf("read %d: %d logins", i, got)
		}
	}
	if s := p.Stats(); s.Steps["/ds"] != 8 {
		t.Errorf("steps %v", s.Steps)
	}
}

// TestProofNeedsTime: a proof is not sent whose answer might come too late.
func TestProofNeedsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := plugtest.NewHome(t, simulator.P110TPAP) // which takes 25 ms
		for _, timeout := range []time.Duration{500 * time.Millisecond, time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			_, err := h.Device.Read(ctx)
			cancel()
			if got := plugtest.ReasonOf(h, err); got != tapo.Timeout {
				t.Errorf("%v: %s", timeout, got)
			}
		}
		if n := h.Plug.Stats().Steps["pake_share"]; n != 0 {
			t.Errorf("%d proofs", n)
		}
		if got := h.Reason(h.Device); got != plugtest.OK {
			t.Errorf("with more time: %s", got)
		}
	})
}

// TestNoProofToSlowPlugs: a proof of which the answer would come too late is not sent.
func TestNoProofToSlowPlugs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := plugtest.StartHome(t, &simulator.Plug{Model: simulator.P110TPAP, Latency: 4 * time.Second})
		h.Device = h.NewDevice()
		if seen := h.Poll(time.Hour); len(seen) != 1 || seen[tapo.Timeout] == 0 {
			h.Errorf("reasons %v", seen)
		}
		if got := h.Plug.Stats().Steps["pake_share"]; got != 0 {
			h.Errorf("%d proofs sent", got)
		}
	})
}
