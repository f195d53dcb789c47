// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/tpap"
)

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
	if code, _ := p.step(first); code != tpap.CodeDenied { // the proof is for the older challenge
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
	p.login() // resets the count
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
	if code, _ := p.step(goodRegister()); code != tpap.CodeLocked { // which starts the lock again
		t.Errorf("during the lock: %d", code)
	}
	now = now.Add(29 * time.Minute)
	if code, _ := p.step(discover); code != tpap.CodeLocked {
		t.Errorf("during the prolonged lock: %d", code)
	}
	now = now.Add(time.Minute)
	p.login()
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
