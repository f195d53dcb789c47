// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
)

// BenchmarkLogin is all that a login makes a client compute: the first, which
// derives the secret, and those after it.
func BenchmarkLogin(b *testing.B) {
	account := Account{Username: "user@example.com", Password: "Tapo-Secret-42!", MAC: "AABBCC001122"}
	extra := json.RawMessage(`{"type":"password_shadow","params":{"passwd_id":2}}`)
	salt := []byte("sixteen bytes of")
	credential, err := account.Credential(extra)
	if err != nil {
		b.Fatal(err)
	}
	secret, err := Derive(credential.Text, salt, 3000)
	if err != nil {
		b.Fatal(err)
	}
	record, err := secret.Record()
	if err != nil {
		b.Fatal(err)
	}
	verifier, err := record.Verify()
	if err != nil {
		b.Fatal(err)
	}
	answer, err := json.Marshal(map[string]any{"error_code": 0, "result": map[string]any{
		"dev_random": make([]byte, RandomSize), "dev_salt": salt, "dev_share": verifier.Share(),
		"cipher_suites": Suite, "iterations": 3000, "encryption": Cipher, "extra_crypt": extra,
	}})
	if err != nil {
		b.Fatal(err)
	}
	login := func(b *testing.B, d *Deriver) {
		result, _, err := decode(PakeRegister, httpwire.Reply{Status: 200, Body: answer})
		if err != nil {
			b.Fatal(err)
		}
		var r RegisterResult
		lenient.Unmarshal(result, &r)
		ch, err := r.challenge(make([]byte, RandomSize))
		if err != nil {
			b.Fatal(err)
		}
		secret, _, err := d.Secret(account, ch)
		if err != nil {
			b.Fatal(err)
		}
		prover, err := secret.Prove()
		if err != nil {
			b.Fatal(err)
		}
		keys, err := prover.Finish(ch.binding, ch.devShare)
		if err != nil {
			b.Fatal(err)
		}
		subtle.ConstantTimeCompare(keys.ConfirmV, keys.ConfirmP)
		if _, err := NewFrames(keys.Shared); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			login(b, &Deriver{})
		}
	})
	b.Run("again", func(b *testing.B) {
		var d Deriver
		login(b, &d)
		for b.Loop() {
			login(b, &d)
		}
	})
}

// BenchmarkECDH is one key agreement of the standard library on the same curve,
// the yardstick of BenchmarkLogin.
func BenchmarkECDH(b *testing.B) {
	ours, errA := ecdh.P256().GenerateKey(rand.Reader)
	theirs, errB := ecdh.P256().GenerateKey(rand.Reader)
	if err := errors.Join(errA, errB); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := ours.ECDH(theirs.PublicKey()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFrame seals a request and opens a reply of the sizes of a warm
// read's.
func BenchmarkFrame(b *testing.B) {
	frames, err := NewFrames(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	reply := frames.Seal(1, make([]byte, 1150))
	b.ReportAllocs()
	for b.Loop() {
		frames.Seal(1, make([]byte, 256))
		if _, err := frames.Open(1, reply); err != nil {
			b.Fatal(err)
		}
	}
}
