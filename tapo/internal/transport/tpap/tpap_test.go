// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
)

// vectors is testdata/vectors.json. What is inside SPAKE2+ is checked in its
// own package.
type vectors struct {
	Inputs struct {
		Username   string
		Password   string
		MAC        string
		UserRandom hexBytes `json:"user_random"`
		DevRandom  hexBytes `json:"dev_random"`
	}
	Handshakes []struct {
		Name       string
		DevSalt    hexBytes `json:"dev_salt"`
		Iterations int
		Credential string
		PBKDF2     hexBytes
		W0         hexBytes
		Context    hexBytes
		Y          hexBytes
		SharedKey  hexBytes
		Key        hexBytes
		BaseNonce  hexBytes `json:"base_nonce"`
	}
	Frames []struct {
		Handshake string
		Seq       int64
		Text      string
		Body      hexBytes
	}
	Credentials []struct {
		Name         string
		PasscodeType PasscodeType    `json:"passcode_type"`
		ExtraCrypt   json.RawMessage `json:"extra_crypt"`
		Credential   string          `json:"credential_text"`
	}
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func load(t testing.TB) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Handshakes) != 3 || len(v.Frames) != 5 || len(v.Credentials) != 9 {
		t.Fatalf("%d logins, %d frames, %d credentials", len(v.Handshakes), len(v.Frames), len(v.Credentials))
	}
	return v
}

func (v vectors) account() Account {
	return Account{Username: v.Inputs.Username, Password: v.Inputs.Password, MAC: strings.ReplaceAll(v.Inputs.MAC, ":", "")}
}

func TestHandshakes(t *testing.T) {
	v := load(t)
	for _, h := range v.Handshakes {
		derived, err := pbkdf2.Key(sha256.New, h.Credential, h.DevSalt, h.Iterations, derivedSize)
		if err != nil || !bytes.Equal(derived, h.PBKDF2) {
			t.Errorf("%s: PBKDF2 %x, %v", h.Name, derived, err)
		}
		secret, err := Derive(h.Credential, h.DevSalt, h.Iterations)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(secret.W0(), h.W0) {
			t.Errorf("%s: w0 %x, want %x", h.Name, secret.W0(), h.W0)
		}
		if got := Binding(v.Inputs.UserRandom, v.Inputs.DevRandom).Context; !bytes.Equal(got, h.Context) {
			t.Errorf("%s: context %x, want %x", h.Name, got, h.Context)
		}
		derivedFrames, err := NewFrames(h.SharedKey)
		if err != nil {
			t.Fatal(err)
		}
		frames, err := newFrames(h.Key, h.BaseNonce)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := derivedFrames.Seal(1, []byte("text")), frames.Seal(1, []byte("text")); !bytes.Equal(got, want) {
			t.Errorf("%s: key and nonce lead to %x, want %x", h.Name, got, want)
		}
	}
}

func TestFrames(t *testing.T) {
	v := load(t)
	for _, f := range v.Frames {
		if f.Handshake != v.Handshakes[0].Name {
			t.Fatalf("a frame of %s", f.Handshake)
		}
		frames, err := NewFrames(v.Handshakes[0].SharedKey)
		if err != nil {
			t.Fatal(err)
		}
		seq := uint32(f.Seq)
		if got := frames.Seal(seq, []byte(f.Text)); !bytes.Equal(got, f.Body) {
			t.Errorf("seq %d: sealed %x, want %x", f.Seq, got, []byte(f.Body))
		}
		if got, err := frames.Open(seq, f.Body); err != nil || string(got) != f.Text {
			t.Errorf("seq %d: opened %q, %v", f.Seq, got, err)
		}
		if _, err := frames.Open(seq+1, f.Body); !errors.Is(err, ErrSequence) {
			t.Errorf("seq %d, taken for the next: %v", f.Seq, err)
		}
		for i := seqSize; i < len(f.Body); i++ {
			damaged := bytes.Clone(f.Body)
			damaged[i] ^= 1
			if _, err := frames.Open(seq, damaged); !errors.Is(err, ErrTag) {
				t.Errorf("seq %d, byte %d wrong: %v", f.Seq, i, err)
			}
		}
		for n := range seqSize + tagSize {
			if _, err := frames.Open(seq, f.Body[:n]); !errors.Is(err, ErrLength) {
				t.Errorf("seq %d, %d bytes: %v", f.Seq, n, err)
			}
		}
	}
}

func TestCredentials(t *testing.T) {
	v := load(t)
	for _, c := range v.Credentials {
		got, err := v.account().Credential(c.ExtraCrypt)
		if c.PasscodeType == DefaultPasscode {
			got, err = v.account().DefaultCredential()
		}
		if err != nil || got.Text != c.Credential {
			t.Errorf("%s: %q, %v, want %q", c.Name, got.Text, err, c.Credential)
		}
		if want := c.Name == "none" || c.Name == "sha1mac"; got.Username != want {
			t.Errorf("%s: uses the e-mail: %t", c.Name, got.Username)
		}
		if want := c.Name != "default_passcode" && c.Name != "sha1mac"; got.Password != want {
			t.Errorf("%s: uses the password: %t", c.Name, got.Password)
		}
	}
}

// TestCredentialSpellings has the forms that mean the same, and those that
// mean nothing and must not cost an attempt.
func TestCredentialSpellings(t *testing.T) {
	v := load(t)
	want := map[string]string{}
	for _, c := range v.Credentials {
		want[c.Name] = c.Credential
	}
	const shadow = `{"type":"password_shadow","params":`
	for extra, name := range map[string]string{
		``:                            "none",
		shadow + `{"passwd_id":"2"}}`: "sha1",
		shadow + `{"passwd_id":"1","passwd_prefix":"$1$Zx81pQ2r"}}`:                                       "md5crypt",
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$n4vAaM3cBqk0Zr9T$"}}`:                                "sha256crypt",
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$rounds=1234$n4vAaM3cBqk0Zr9T$"}}`:                    "sha256crypt_1234",
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$rounds=999$n4vAaM3cBqk0Zr9T","passwd_rounds":1234}}`: "sha256crypt_1234",
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$n4vAaM3cBqk0Zr9T$","passwd_rounds":"1234"}}`:         "sha256crypt_1234",
		`{"type":"password_sha_with_salt","params":{"sha_name":"0","sha_salt":"cGVwcGVyLTE"}}`:            "shasalt",
	} {
		got, err := v.account().Credential(json.RawMessage(extra))
		if err != nil || got.Text != want[name] {
			t.Errorf("%s: %q, %v", extra, got.Text, err)
		}
	}
	for _, extra := range []string{
		`"password_shadow"`, `[]`, `{}`, `{"type":"password_rot13"}`,
		shadow + `{}}`, shadow + `{"passwd_id":4}}`, shadow + `{"passwd_id":[2]}}`, shadow + `2}`,
		shadow + `{"passwd_id":1}}`, shadow + `{"passwd_id":1,"passwd_prefix":"$5$abc$"}}`,
		shadow + `{"passwd_id":5,"passwd_prefix":"$1$abc$"}}`,
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$abc$","passwd_rounds":999999999}}`,
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$rounds=many$abc$"}}`,
		`{"type":"password_authkey","params":{"authkey_tmpkey":"abc"}}`,
		`{"type":"password_sha_with_salt","params":{"sha_salt":"cGVwcGVyLTE="}}`,
		`{"type":"password_sha_with_salt","params":{"sha_name":0,"sha_salt":"!"}}`,
	} {
		got, err := v.account().Credential(json.RawMessage(extra))
		if _, ok := errors.AsType[*UnsupportedError](err); !ok {
			t.Errorf("%s: %q, %v", extra, got.Text, err)
		}
	}
	none := Account{Username: "u", Password: "p"}
	if _, err := none.Credential(json.RawMessage(shadow + `{"passwd_id":3}}`)); err == nil {
		t.Error("passwd_id 3 without a MAC: no error")
	}
	if _, err := none.DefaultCredential(); err == nil {
		t.Error("a default passcode without a MAC: no error")
	}
	if got, err := (Account{Password: "p"}).Credential(nil); err != nil || got.Text != "p" {
		t.Errorf("without an e-mail: %q, %v", got.Text, err)
	}
}

func TestUsername(t *testing.T) {
	for kind, want := range map[int]string{
		0: "21232f297a57a5a743894a0e4a801fc3",
		1: "8C6976E5B5410415BDE908BD4DEE15DFB167A9C873FC4BB8A81F6F2AB448A918",
		2: "",
	} {
		got, err := Announcement{UserHashType: kind}.Username()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%d: %q, %v", kind, got, err)
		}
	}
}

func TestPasscodeType(t *testing.T) {
	for _, tc := range []struct {
		pake []int
		want PasscodeType
	}{
		{[]int{2}, UserPassword},
		{[]int{5}, UserPassword},
		{[]int{2, 3}, UserPassword},
		{[]int{0}, DefaultPasscode},
		{[]int{0, 2}, ""},
		{[]int{1}, ""},
		{[]int{3}, ""},
		{nil, ""},
	} {
		got, err := Announcement{Pake: tc.pake}.PasscodeType()
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%v: %q, %v", tc.pake, got, err)
		}
	}
}

func TestPath(t *testing.T) {
	for token, want := range map[string]string{
		"0123456789ABCDEF": "/stok=0123456789ABCDEF/ds",
		"a!*()~'b":         "/stok=a!*()~'b/ds",
		"a%b?c#d/e":        "/stok=a%25b%3Fc%23d%2Fe/ds",
	} {
		if got := Path(token); got != want {
			t.Errorf("%s: %s, want %s", token, got, want)
		}
	}
}

// TestDeriver: deriving takes milliseconds, so nothing that it depends on may
// be missed, and nothing else may make it do its work again.
func TestDeriver(t *testing.T) {
	account := Account{"u", "p", "AABBCC001122"}
	challenge := Challenge{Salt: []byte("salt"), Iterations: 10, passcode: UserPassword}
	var d Deriver
	first, _, err := d.Secret(account, &challenge)
	if err != nil {
		t.Fatal(err)
	}
	again := challenge
	if second, _, err := d.Secret(account, &again); err != nil || second != first {
		t.Errorf("derived anew: %v", err)
	}
	for name, change := range map[string]func(*Account, *Challenge){
		"e-mail":     func(a *Account, _ *Challenge) { a.Username = "v" },
		"password":   func(a *Account, _ *Challenge) { a.Password = "q" },
		"salt":       func(_ *Account, ch *Challenge) { ch.Salt = []byte("tlas") },
		"iterations": func(_ *Account, ch *Challenge) { ch.Iterations++ },
		"passcode":   func(_ *Account, ch *Challenge) { ch.passcode = DefaultPasscode },
		"scheme": func(_ *Account, ch *Challenge) {
			ch.ExtraCrypt = json.RawMessage(`{"type":"password_shadow","params":{"passwd_id":2}}`)
		},
	} {
		a, ch := account, challenge
		change(&a, &ch)
		got, _, err := d.Secret(a, &ch)
		if err != nil || bytes.Equal(got.W0(), first.W0()) {
			t.Errorf("another %s, the same secret: %v", name, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for body, want := range map[string]struct {
		Refusal
		locked, rejects bool
	}{
		`{"error_info":{"lockedMinute":0,"failedAttempts":1,"remainAttempts":14},"error_code":-2203}`: {
			Refusal{Code: -2203, Failed: 1, Remaining: 14}, false, true,
		},
		`{"error_info":{"lockedMinute":29,"failedAttempts":15,"remainAttempts":0},"error_code":-2101}`: {
			Refusal{Code: -2101, Failed: 15, Remaining: 0, Lock: 29 * time.Minute}, true, false,
		},
		`{"error_code":-2203,"error_info":{"failedAttempts":6}}`: {Refusal{Code: -2203, Failed: 6, Remaining: 9}, false, true},
		`{"err_code":-2203,"err_msg":{"remainAttempts":"7"}}`:    {Refusal{Code: -2203, Failed: -1, Remaining: 7}, false, true},
		`{"err_code":-2101,"err_msg":"locked"}`:                  {Refusal{Code: -2101, Failed: -1, Remaining: -1}, true, false},
		`{"error_code":-40404,"data":{"sec_left":1700}}`: {
			Refusal{Code: -40404, Failed: -1, Remaining: -1, Lock: 1700 * time.Second}, true, false,
		},
		`{"error_code":-40408}`: {Refusal{Code: -40408, Failed: -1, Remaining: -1}, true, false},
		`{"error_code":-2402,"error_info":{"lockedMinute":5}}`: {
			Refusal{Code: -2402, Failed: -1, Remaining: -1, Lock: 5 * time.Minute}, true, false,
		},
		`{"error_code":-2402}`:  {Refusal{Code: -2402, Failed: -1, Remaining: -1}, false, false},
		`{"error_code":-2202}`:  {Refusal{Code: -2202, Failed: -1, Remaining: -1}, false, true},
		`{"error_code":-1501}`:  {Refusal{Code: -1501, Failed: -1, Remaining: -1}, false, true},
		`{"error_code":1111}`:   {Refusal{Code: 1111, Failed: -1, Remaining: -1}, false, true},
		`{"error_code":1100}`:   {Refusal{Code: 1100, Failed: -1, Remaining: -1}, false, true},
		`{"error_code":-40401}`: {Refusal{Code: -40401, Failed: -1, Remaining: -1}, false, true},
		`{"error_code":-1008,"error_info":{"remainAttempts":-3}}`:   {Refusal{Code: -1008, Failed: -1, Remaining: -1}, false, false},
		`{"error_code":-2101,"error_info":{"lockedMinute":1e300}}`:  {Refusal{Code: -2101, Failed: -1, Remaining: -1, Lock: 1e6 * time.Minute}, true, false},
		`{"error_code":-2101,"error_info":{"lockedMinute":"soon"}}`: {Refusal{Code: -2101, Failed: -1, Remaining: -1}, true, false},
	} {
		_, _, err := decode(PakeShare, httpwire.Reply{Status: 200, Body: []byte(body)})
		got, ok := errors.AsType[*Refusal](err)
		if !ok {
			t.Errorf("%s: %v", body, err)
			continue
		}
		want.Step = PakeShare
		if *got != want.Refusal || got.Locked() != want.locked || got.Rejects() != want.rejects {
			t.Errorf("%s: %+v, locked %t, rejects %t", body, *got, got.Locked(), got.Rejects())
		}
	}
	if (&Refusal{Step: PakeRegister, Code: -40401}).Rejects() {
		t.Error("a camera's code means a wrong passcode where no passcode is")
	}
}

func FuzzFrames(f *testing.F) {
	for _, v := range load(f).Frames {
		f.Add(uint32(v.Seq), []byte(v.Body))
	}
	f.Add(uint32(0x7b226572), []byte(`{"error_code":-2203}`))
	frames, err := NewFrames(make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, seq uint32, body []byte) {
		text, err := frames.Open(seq, body)
		if err != nil {
			if err := plainRefusal("request", body, err); err == nil {
				t.Error("a frame that does not open is no error")
			}
			return
		}
		if again := frames.Seal(seq, text); !bytes.Equal(again, body) {
			t.Errorf("%x opens as %x, which seals as %x", body, text, again)
		}
	})
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
