// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/json"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/spake2plus"
)

// The steps of a login.
const (
	Discover     = "discover"
	PakeRegister = "pake_register"
	PakeShare    = "pake_share"
)

const (
	// DefaultIterations is used if a plug sends no number, as in TP-Link's app
	// (python-kasa/python-kasa#1592). Plugs on record send 3000.
	DefaultIterations = 10_000
	// MaxIterations bounds the work that a plug can cause.
	MaxIterations = 100_000

	// derivedSize is the length of a secret in bytes, 40 for each half.
	derivedSize = 80
)

// RegisterParams are the parameters of pake_register. Step is PakeRegister.
type RegisterParams struct {
	Step         string          `json:"sub_method"`
	Username     string          `json:"username"`
	UserRandom   []byte          `json:"user_random"`
	CipherSuites []int           `json:"cipher_suites"`
	Encryption   []string        `json:"encryption"`
	PasscodeType PasscodeType    `json:"passcode_type"`
	Token        json.RawMessage `json:"stok"` // null: it would be the token of a session to renew
}

// RegisterResult is the result of pake_register.
type RegisterResult struct {
	DevRandom   lenient.Text    `json:"dev_random"`
	DevSalt     lenient.Text    `json:"dev_salt"`
	DevShare    lenient.Text    `json:"dev_share"`
	CipherSuite lenient.Number  `json:"cipher_suites"`
	Iterations  *lenient.Number `json:"iterations"`
	Encryption  lenient.Text    `json:"encryption"`
	ExtraCrypt  json.RawMessage `json:"extra_crypt"`
}

// ShareParams are the parameters of pake_share. Step is PakeShare.
type ShareParams struct {
	Step        string `json:"sub_method"`
	UserShare   []byte `json:"user_share"`
	UserConfirm []byte `json:"user_confirm"`
	DACNonce    []byte `json:"dac_nonce,omitempty"`
}

// ShareResult is the result of pake_share.
type ShareResult struct {
	DevConfirm lenient.Text   `json:"dev_confirm"`
	Token      lenient.Text   `json:"stok"`
	SessionID  lenient.Text   `json:"sessionId"` // another name of the token
	StartSeq   lenient.Number `json:"start_seq"`
	Expired    lenient.Number `json:"expired"` // seconds
}

// Derive derives the secret of a credential. It takes a millisecond or more, as a key
// derivation must.
func Derive(credential string, salt []byte, iterations int) (*spake2plus.Secret, error) {
	derived, err := pbkdf2.Key(sha256.New, credential, salt, iterations, derivedSize)
	if err != nil {
		return nil, err
	}
	return spake2plus.NewSecret(spake2plus.P256SHA256HMAC, derived)
}

// Deriver derives secrets and caches the last one for the next login. The zero value is
// ready. It is not safe for concurrent use.
type Deriver struct {
	from       source
	secret     *spake2plus.Secret
	credential Credential
}

// source has all inputs of a secret.
type source struct {
	account    Account
	salt       string
	iterations int
	extraCrypt string
}

// Secret returns the secret and the credential of an account for a challenge. The error
// is that of [Account.Credential].
func (d *Deriver) Secret(a Account, ch *Challenge) (*spake2plus.Secret, Credential, error) {
	from := source{a, string(ch.Salt), ch.Iterations, string(ch.ExtraCrypt)}
	if d.secret != nil && d.from == from {
		return d.secret, d.credential, nil
	}
	credential, err := a.Credential(ch.ExtraCrypt)
	if err != nil {
		return nil, Credential{}, err
	}
	secret, err := Derive(credential.Text, ch.Salt, ch.Iterations)
	if err != nil {
		return nil, Credential{}, err
	}
	*d = Deriver{from, secret, credential}
	return secret, credential, nil
}

// Binding binds the keys of a login to its two random numbers (the context of RFC 9383,
// section 3.3).
func Binding(userRandom, devRandom []byte) spake2plus.Binding {
	h := sha256.New()
	h.Write([]byte("PAKE V1"))
	h.Write(userRandom)
	h.Write(devRandom)
	return spake2plus.Binding{Context: h.Sum(nil)}
}
