// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/json"
	"testing"
)

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

// TestDeriver: deriving takes milliseconds, so nothing that it depends on may
// be missed, and nothing else may make it do its work again.
func TestDeriver(t *testing.T) {
	account := Account{"u", "p", "AABBCC001122"}
	challenge := Challenge{Salt: []byte("salt"), Iterations: 10}
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
