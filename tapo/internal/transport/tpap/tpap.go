// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package tpap is the TPAP transport, which plugs speak from firmware 1.4 on
// unless their owner has switched Third-Party Compatibility on.
//
// The login is SPAKE2+ (RFC 9383): the client proves that it knows a password
// and the plug that it holds a record of the same, and neither gives anything
// away to somebody who does not. What serves as the password is derived from
// the account's, in a way that the plug names (credential.go). Three requests
// make a login: discover, which needs no credentials and tells how the plug
// wants it, pake_register and pake_share (login.go).
//
// After that every message is AES-128-CCM with a sequence number, sent as
// `POST /stok=<token>/ds` (frame.go). A refusal comes back as plain JSON.
//
// The plug counts logins with a wrong password and locks itself after some 15
// of them. So nothing here ever tries two credentials, and a login whose
// outcome is not known is told from one that the plug has refused.
//
// client.go is the client's half, and transport.go what a login sees of it; the
// rest is shared with the simulated plug.
package tpap

import (
	"crypto/md5" //nolint:gosec // as defined
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
)

// What this package offers and accepts, of all that the protocol has names for.
const (
	Suite  = 1 // P-256, SHA-256, HKDF, HMAC
	Cipher = "aes_128_ccm"

	// RandomSize is the length of user_random and dev_random in bytes.
	RandomSize = 32
)

// UnsupportedError is something that a plug announces and nobody has seen yet.
type UnsupportedError struct{ What string }

func (e *UnsupportedError) Error() string { return "the plug announces " + e.What }

// maxText bounds how much of a plug's own words goes into an error.
const maxText = 200

func unsupported(format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if len(what) > maxText {
		what = strings.ToValidUTF8(what[:maxText], "") + "…"
	}
	return &UnsupportedError{what}
}

// PasscodeType says which kind of passcode a login uses.
type PasscodeType string

// The passcode types that plugs ask for.
const (
	UserPassword    PasscodeType = "userpw"
	DefaultPasscode PasscodeType = "default_userpw" // made from the MAC: the plug has no account
)

// Announcement is how a plug wants to be logged in to: the `tpap` object of its
// answer to discover. Members are optional; zero is what plugs mean by leaving
// them out.
type Announcement struct {
	TLS          int    // 0 plain HTTP, 1 any certificate, 2 one of TP-Link's
	Port         int    // 0 if it does not say
	Pake         []int  // passcode types that it takes
	UserHashType int    // of the user name, see Username
	Attests      bool   // it wants a nonce to attest itself with
	MAC          string // bare hex digits in capitals, "" if it does not say
}

// parseAnnouncement reads the `tpap` object. A member of another type than
// expected may mean anything, so it is not taken for one that is missing. The
// error is an [*UnsupportedError].
func parseAnnouncement(object []byte, mac string) (Announcement, error) {
	var raw struct {
		TLS          *lenient.Number  `json:"tls"`
		Port         *lenient.Number  `json:"port"`
		Pake         []lenient.Number `json:"pake"`
		UserHashType *lenient.Number  `json:"user_hash_type"`
		DAC          *lenient.Number  `json:"dac"`
	}
	if json.Unmarshal(object, &raw) != nil {
		return Announcement{}, unsupported("tpap %s", object)
	}
	a := Announcement{MAC: strings.ToUpper(strings.NewReplacer(":", "", "-", "").Replace(mac))}
	attests := 0
	for _, m := range []struct {
		number *lenient.Number
		most   int
		into   *int
	}{{raw.TLS, 2, &a.TLS}, {raw.Port, 65535, &a.Port}, {raw.UserHashType, 255, &a.UserHashType}, {raw.DAC, 255, &attests}} {
		if m.number == nil {
			continue
		}
		n, ok := integer(*m.number, m.most)
		if !ok {
			return Announcement{}, unsupported("tpap %s", object)
		}
		*m.into = n
	}
	for _, number := range raw.Pake {
		n, ok := integer(number, 255)
		if !ok {
			return Announcement{}, unsupported("tpap %s", object)
		}
		a.Pake = append(a.Pake, n)
	}
	a.Attests = attests != 0
	return a, nil
}

// integer returns a whole number from 0 to most.
func integer(n lenient.Number, most int) (int, bool) {
	i := int(min(max(n.Value, -1), 1<<30))
	return i, n.Valid && float64(i) == n.Value && i >= 0 && i <= most
}

// PasscodeType chooses among the passcode types that the plug takes. The error
// is an [*UnsupportedError].
func (a Announcement) PasscodeType() (PasscodeType, error) {
	account := slices.Contains(a.Pake, 2) || slices.Contains(a.Pake, 5)
	byDefault := slices.Contains(a.Pake, 0)
	switch {
	case account && !byDefault:
		return UserPassword, nil
	case byDefault && len(a.Pake) == 1:
		return DefaultPasscode, nil
	}
	return "", unsupported("passcode types pake %v", a.Pake)
}

// Username returns the user name of a login, which is that of no account but
// always made of the word admin. The error is an [*UnsupportedError].
func (a Announcement) Username() (string, error) {
	const name = "admin"
	switch a.UserHashType {
	case 0:
		sum := md5.Sum([]byte(name)) //nolint:gosec // as defined
		return hex.EncodeToString(sum[:]), nil
	case 1:
		sum := sha256.Sum256([]byte(name))
		return strings.ToUpper(hex.EncodeToString(sum[:])), nil
	}
	return "", unsupported("user_hash_type %d", a.UserHashType)
}

// unbase64 decodes standard base64, with the padding or without.
func unbase64(text lenient.Text) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(string(text), "="))
}
