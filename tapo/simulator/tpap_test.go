// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/spake2plus"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/tpap"
)

// prover logs in step by step, as clients should not.
type prover struct {
	*testing.T
	plug *Plug
}

// step sends a step of the login and returns the error code and the result.
func (p prover) step(params any) (code int, result map[string]json.RawMessage) {
	p.Helper()
	body, err := json.Marshal(map[string]any{"method": "login", "params": params})
	if err != nil {
		p.Fatal(err)
	}
	_, _, answer := post(p, p.plug, "/", "", body)
	var a struct {
		ErrorCode int                        `json:"error_code"`
		Result    map[string]json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		p.Fatalf("%s: %v", answer, err)
	}
	return a.ErrorCode, a.Result
}

func goodRegister() tpap.RegisterParams {
	return tpap.RegisterParams{
		Step: tpap.PakeRegister, Username: "21232f297a57a5a743894a0e4a801fc3", UserRandom: make([]byte, tpap.RandomSize),
		CipherSuites: []int{tpap.Suite}, Encryption: []string{tpap.Cipher}, PasscodeType: tpap.UserPassword,
	}
}

// register asks for a challenge and computes the answer with a password.
func (p prover) register(password string) (tpap.ShareParams, spake2plus.Keys) {
	p.Helper()
	code, result := p.step(goodRegister())
	if code != 0 {
		p.Fatalf("register: %d", code)
	}
	var salt, devRandom, devShare []byte
	var iterations int
	for name, into := range map[string]any{"dev_salt": &salt, "dev_random": &devRandom, "dev_share": &devShare, "iterations": &iterations} {
		if err := json.Unmarshal(result[name], into); err != nil {
			p.Fatal(err)
		}
	}
	credential, err := tpap.Account{Username: "u", Password: password}.Credential(result["extra_crypt"])
	if err != nil {
		p.Fatal(err)
	}
	secret, err := tpap.Derive(credential.Text, salt, iterations)
	if err != nil {
		p.Fatal(err)
	}
	half, err := secret.Prove()
	if err != nil {
		p.Fatal(err)
	}
	keys, err := half.Finish(tpap.Binding(make([]byte, tpap.RandomSize), devRandom), devShare)
	if err != nil {
		p.Fatal(err)
	}
	return tpap.ShareParams{Step: tpap.PakeShare, UserShare: half.Share(), UserConfirm: keys.ConfirmP}, keys
}

// login returns the path and the frames of a session that starts at 100.
func (p prover) login() (path string, frames *tpap.Frames) {
	p.Helper()
	params, keys := p.register("p")
	code, result := p.step(params)
	var token string
	if err := json.Unmarshal(result["stok"], &token); err != nil || code != 0 {
		p.Fatalf("share: %d, %v", code, err)
	}
	frames, err := tpap.NewFrames(keys.Shared)
	if err != nil {
		p.Fatal(err)
	}
	return tpap.Path(token), frames
}

func newProver(t *testing.T, o TPAPOptions) prover { return newProverAt(t, o, time.Now) }

func newProverAt(t *testing.T, o TPAPOptions, now func() time.Time) prover {
	t.Helper()
	o.StartSeq, o.Iterations = new(int32(100)), 10
	return prover{t, start(t, &Plug{Model: P110TPAP, TPAP: o, Now: now})}
}

func TestRegisterIsStrict(t *testing.T) {
	p := newProver(t, TPAPOptions{})
	for name, change := range map[string]func(*tpap.RegisterParams){
		"user name":     func(r *tpap.RegisterParams) { r.Username = "u" },
		"user_random":   func(r *tpap.RegisterParams) { r.UserRandom = r.UserRandom[1:] },
		"suites":        func(r *tpap.RegisterParams) { r.CipherSuites = []int{2, 8} },
		"ciphers":       func(r *tpap.RegisterParams) { r.Encryption = []string{"aes_256_ccm"} },
		"passcode type": func(r *tpap.RegisterParams) { r.PasscodeType = tpap.DefaultPasscode },
		"another step":  func(r *tpap.RegisterParams) { r.Step = "pake_regster" },
	} {
		r := goodRegister()
		change(&r)
		if code, _ := p.step(r); code != codeParams {
			t.Errorf("wrong %s: %d", name, code)
		}
	}
}

func TestChallengeIsSingleUse(t *testing.T) {
	now := time.Now()
	p := newProverAt(t, TPAPOptions{}, func() time.Time { return now })
	first, _ := p.register("p")
	second, _ := p.register("p")
	if code, _ := p.step(first); code != tpap.CodeDenied { // it answers the older challenge
		t.Errorf("older challenge: %d", code)
	}
	if code, _ := p.step(second); code != codeLogin {
		t.Errorf("after an answer: %d", code)
	}
	late, _ := p.register("p")
	now = now.Add(maxPendingTime)
	if code, _ := p.step(late); code != codeLogin {
		t.Errorf("too late: %d", code)
	}
	for name, share := range map[string][]byte{"infinity": {0}, "nothing": nil, "off the curve": bytes.Repeat([]byte{4}, 65)} {
		params, _ := p.register("p")
		params.UserShare = share
		if code, _ := p.step(params); code != codeParams {
			t.Errorf("%s: %d", name, code)
		}
	}
}

// TestNewCredentials: the plug's record follows its credentials.
func TestNewCredentials(t *testing.T) {
	p := newProver(t, TPAPOptions{})
	p.login()
	p.plug.SetCredentials("u", "q")
	for password, want := range map[string]int{"p": tpap.CodeDenied, "q": 0} {
		params, _ := p.register(password)
		if code, _ := p.step(params); code != want {
			t.Errorf("password %s: %d, want %d", password, code, want)
		}
	}
}

func TestLockOut(t *testing.T) {
	now := time.Now()
	p := newProverAt(t, TPAPOptions{}, func() time.Time { return now })
	fail := func() {
		t.Helper()
		params, _ := p.register("wrong")
		if code, _ := p.step(params); code != tpap.CodeDenied {
			t.Errorf("wrong password: %d", code)
		}
	}
	discover := map[string]any{"sub_method": tpap.Discover}
	for range 14 {
		fail()
	}
	p.login() // sets the count back
	for range 14 {
		fail()
	}
	if code, _ := p.step(discover); code != 0 {
		t.Errorf("after 14 failures: %d", code)
	}
	fail()
	if code, _ := p.step(discover); code != tpap.CodeLocked {
		t.Errorf("after 15 failures: %d", code)
	}
	now = now.Add(20 * time.Minute)
	if code, _ := p.step(goodRegister()); code != tpap.CodeLocked { // and that prolongs it
		t.Errorf("during the lock: %d", code)
	}
	now = now.Add(29 * time.Minute)
	if code, _ := p.step(discover); code != tpap.CodeLocked {
		t.Errorf("during the prolonged lock: %d", code)
	}
	now = now.Add(time.Minute)
	p.login()
}

func TestDataChannel(t *testing.T) {
	const text = `{"method":"get_device_time"}`
	for name, tc := range map[string]struct {
		seqs  []uint32
		flip  int // the byte to damage in the last frame, if not 0
		cut   int // the length to cut it to, if not 0
		wants int // the code, 0 is a sealed answer
	}{
		"first":           {seqs: []uint32{100}},
		"next":            {seqs: []uint32{100, 101, 102}},
		"ahead":           {seqs: []uint32{105, 1106}},
		"too far ahead":   {seqs: []uint32{100, 1102}, wants: codeSessionExpired},
		"again":           {seqs: []uint32{100, 100}, wants: codeSessionExpired},
		"behind":          {seqs: []uint32{99}, wants: codeSessionExpired},
		"damaged":         {seqs: []uint32{100, 101}, flip: 10, wants: codeTag},
		"short":           {seqs: []uint32{100}, cut: 19, wants: codeSessionExpired},
		"header in front": {seqs: []uint32{0x54504150}, wants: codeSessionExpired},
	} {
		p := newProver(t, TPAPOptions{})
		path, frames := p.login()
		send := func(seq uint32, flip, cut int) (string, int) {
			frame := frames.Seal(seq, []byte(text))
			if flip != 0 {
				frame[flip] ^= 1
			}
			if cut != 0 {
				frame = frame[:cut]
			}
			_, header, body := post(t, p.plug, path, "", frame)
			if answer, err := frames.Open(seq, body); err == nil && header.Get("Content-Type") == contentBinary {
				return string(answer), 0
			}
			var refusal struct {
				ErrorCode int `json:"error_code"`
			}
			if err := json.Unmarshal(body, &refusal); err != nil || header.Get("Content-Type") != contentJSON {
				t.Errorf("%s: %x, %v", name, body, header)
			}
			return "", refusal.ErrorCode
		}
		for i, seq := range tc.seqs {
			last := i == len(tc.seqs)-1
			flip, cut, want := 0, 0, 0
			if last {
				flip, cut, want = tc.flip, tc.cut, tc.wants
			}
			answer, code := send(seq, flip, cut)
			if code != want || code == 0 && !strings.Contains(answer, `"error_code":`) {
				t.Errorf("%s, %d: code %d, want %d: %s", name, seq, code, want, answer)
			}
		}
		if tc.wants != 0 { // that ends the session
			if _, code := send(200, 0, 0); code != tpap.CodeDenied {
				t.Errorf("%s: code %d after it", name, code)
			}
		}
	}
}

func TestSessionLimit(t *testing.T) {
	p := newProver(t, TPAPOptions{})
	var paths []string
	var all []*tpap.Frames
	for range maxTPAPSessions + 1 {
		path, frames := p.login()
		paths, all = append(paths, path), append(all, frames)
	}
	var alive []bool
	for i, path := range paths {
		_, _, body := post(t, p.plug, path, "", all[i].Seal(100, []byte(`{"method":"get_device_info"}`)))
		_, err := all[i].Open(100, body)
		alive = append(alive, err == nil)
	}
	if want := []bool{false, true, true, true, true}; !slices.Equal(alive, want) {
		t.Errorf("alive %v, want %v", alive, want)
	}
}

// TestPlainHTTPUnderTLS: a plug that announces TLS takes no login without.
func TestPlainHTTPUnderTLS(t *testing.T) {
	p := newProver(t, TPAPOptions{TLS: 1})
	if code, result := p.step(map[string]any{"sub_method": tpap.Discover}); code != 0 || !strings.Contains(string(result["tpap"]), `"tls":1`) {
		t.Errorf("discover: %d %s", code, result["tpap"])
	}
	body, err := json.Marshal(map[string]any{"method": "login", "params": goodRegister()})
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _ := post(t, p.plug, "/", "", body); status != 404 {
		t.Errorf("register over plain HTTP: %d", status)
	}
}

func TestCompatibilitySwitch(t *testing.T) {
	p := newProver(t, TPAPOptions{})
	path, frames := p.login()
	p.plug.SetCompatibility(true)
	if code, result := p.step(map[string]any{"sub_method": tpap.Discover}); code != 0 || result["tpap"] != nil {
		t.Errorf("on: %d %v", code, result)
	}
	if status, _, _ := post(t, p.plug, "/app/handshake1", "", make([]byte, 16)); status != 200 {
		t.Errorf("on: handshake1 %d", status)
	}
	if status, _, _ := post(t, p.plug, path, "", frames.Seal(100, nil)); status != 404 {
		t.Errorf("on: data %d", status)
	}
	p.plug.SetCompatibility(false)
	if status, _, _ := post(t, p.plug, "/app/handshake1", "", make([]byte, 16)); status != 403 {
		t.Errorf("off: handshake1 %d", status)
	}
	p.login()
	p.plug.SetModel(P110)
	p.plug.SetCompatibility(false) // older firmware has no such switch
	if status, _, _ := post(t, p.plug, "/app/handshake1", "", make([]byte, 16)); status != 200 {
		t.Errorf("older firmware: handshake1 %d", status)
	}
}
