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
	// DefaultIterations is what apps assume where a plug does not say.
	DefaultIterations = 10_000
	// MaxIterations bounds the work that a plug can ask for.
	MaxIterations = 100_000

	// derivedSize is what the key derivation returns: the two halves of a secret.
	derivedSize = 80
)

// RegisterParams is what the client sends in pake_register, with Step
// PakeRegister.
type RegisterParams struct {
	Step         string          `json:"sub_method"`
	Username     string          `json:"username"`
	UserRandom   []byte          `json:"user_random"`
	CipherSuites []int           `json:"cipher_suites"`
	Encryption   []string        `json:"encryption"`
	PasscodeType PasscodeType    `json:"passcode_type"`
	Token        json.RawMessage `json:"stok"` // always null: of a session that could be renewed
}

// RegisterResult is the plug's answer.
type RegisterResult struct {
	DevRandom   lenient.Text    `json:"dev_random"`
	DevSalt     lenient.Text    `json:"dev_salt"`
	DevShare    lenient.Text    `json:"dev_share"`
	CipherSuite lenient.Number  `json:"cipher_suites"`
	Iterations  *lenient.Number `json:"iterations"`
	Encryption  lenient.Text    `json:"encryption"`
	ExtraCrypt  json.RawMessage `json:"extra_crypt"`
}

// ShareParams is what the client sends in pake_share, with Step PakeShare.
type ShareParams struct {
	Step        string `json:"sub_method"`
	UserShare   []byte `json:"user_share"`
	UserConfirm []byte `json:"user_confirm"`
	DACNonce    []byte `json:"dac_nonce,omitempty"`
}

// ShareResult is the plug's answer.
type ShareResult struct {
	DevConfirm lenient.Text   `json:"dev_confirm"`
	Token      lenient.Text   `json:"stok"`
	SessionID  lenient.Text   `json:"sessionId"` // what some firmware calls the token
	StartSeq   lenient.Number `json:"start_seq"`
	Expired    lenient.Number `json:"expired"` // seconds
}

// Derive makes the secret of a credential. It takes a millisecond and more, on
// purpose.
func Derive(credential string, salt []byte, iterations int) (*spake2plus.Secret, error) {
	derived, err := pbkdf2.Key(sha256.New, credential, salt, iterations, derivedSize)
	if err != nil {
		return nil, err
	}
	return spake2plus.NewSecret(spake2plus.P256SHA256HMAC, derived)
}

// Deriver derives secrets and remembers the last, so that logging in again
// costs no derivation. The zero value is ready; it is not safe for concurrent
// use.
type Deriver struct {
	from       source
	secret     *spake2plus.Secret
	credential Credential
}

// source is all that a secret depends on.
type source struct {
	account    Account
	passcode   PasscodeType
	salt       string
	iterations int
	extraCrypt string
}

// Secret returns what answers a challenge for an account, and the credential
// behind it. The error may be an [*UnsupportedError].
func (d *Deriver) Secret(a Account, ch *Challenge) (*spake2plus.Secret, Credential, error) {
	from := source{a, ch.passcode, string(ch.Salt), ch.Iterations, string(ch.ExtraCrypt)}
	if d.secret != nil && d.from == from {
		return d.secret, d.credential, nil
	}
	credential, err := a.credential(ch)
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

func (a Account) credential(ch *Challenge) (Credential, error) {
	if ch.passcode == DefaultPasscode {
		return a.DefaultCredential()
	}
	return a.Credential(ch.ExtraCrypt)
}

// Binding is what ties a login's keys to its two random numbers.
func Binding(userRandom, devRandom []byte) spake2plus.Binding {
	h := sha256.New()
	h.Write([]byte("PAKE V1"))
	h.Write(userRandom)
	h.Write(devRandom)
	return spake2plus.Binding{Context: h.Sum(nil)}
}
