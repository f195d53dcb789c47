// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package tpap implements the TPAP transport, which plugs speak with firmware 1.4 and
// later if Third-Party Compatibility is off (docs/protocols.md).
//
// The login is SPAKE2+ (RFC 9383). The client proves that it has a password, and the plug
// that it has a record of it. Neither reveals anything to a side without them. The
// password of SPAKE2+ is derived from the account's, in a way that the plug chooses
// (credential.go). A login takes three requests: discover, which needs no credentials and
// returns how to log in, pake_register and pake_share (login.go).
//
// After the login, each message is AES-128-CCM with a sequence number, sent as
// `POST /stok=<token>/ds` (frame.go). A refusal is plain JSON.
//
// A plug counts logins with a wrong password, and locks itself after 15
// (python-kasa/python-kasa#1592). So this package never tries two credentials, and reports
// a login whose outcome is not known differently from one that the plug has refused.
//
// client.go has the client's half, and transport.go implements [transport.Transport] with
// it. The simulator shares the rest. The protocol is that of python-kasa/python-kasa#1592
// and of mihai-dinculescu/tapo. python-kasa shortens w0 in one login of 512, which then
// fails; this package writes all 32 bytes, as RFC 9383 and mihai-dinculescu/tapo do.
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

// The only variants of the protocol that this package offers and accepts. Plugs on record
// use no others.
const (
	Suite  = 1 // P-256, SHA-256, HKDF, HMAC
	Cipher = "aes_128_ccm"

	// RandomSize is the length of user_random and dev_random in bytes.
	RandomSize = 32
)

// UnsupportedError is a variant that a plug announces and this package does not have.
type UnsupportedError struct{ What string }

func (e *UnsupportedError) Error() string { return "the plug announces " + e.What }

// maxText bounds the text from a plug in an error.
const maxText = 200

func unsupported(format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if len(what) > maxText {
		what = strings.ToValidUTF8(what[:maxText], "") + "…"
	}
	return &UnsupportedError{what}
}

// PasscodeType is the kind of passcode of a login.
type PasscodeType string

// The passcode types of plugs.
const (
	UserPassword    PasscodeType = "userpw"
	DefaultPasscode PasscodeType = "default_userpw" // made from the MAC: the plug has no account
)

// Announcement is how to log in to a plug: the `tpap` object of its reply to discover.
// Members are optional. A missing one means the zero value.
type Announcement struct {
	TLS          int    // 0 plain HTTP, 1 any certificate, 2 one of TP-Link
	Port         int    // 0 if missing
	Pake         []int  // the passcode types that it accepts
	UserHashType int    // the hash of the user name, see Username
	Attests      bool   // it can attest itself, with a nonce of the client
	MAC          string // AABBCCDDEEFF, "" if missing
}

// parseAnnouncement parses the `tpap` object. A member of an unexpected type is an error:
// it could mean anything, so it is not the same as a missing one. The error is an
// [*UnsupportedError].
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
	if !allowedPort(a.Port) {
		return Announcement{}, unsupported("port %d (want 80, 443, 4433 or one above 1023)", a.Port)
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

// allowedPort reports whether a plug may announce a port. Anybody can forge the
// announcement, and must not make the client speak to the mail server of a host.
func allowedPort(port int) bool {
	return port == 0 || port == 80 || port == 443 || port > 1023
}

// integer returns a whole number from 0 to most.
func integer(n lenient.Number, most int) (int, bool) {
	i := int(min(max(n.Value, -1), 1<<30))
	return i, n.Valid && float64(i) == n.Value && i >= 0 && i <= most
}

// PasscodeType chooses among the passcode types that the plug accepts. The error is an
// [*UnsupportedError].
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

// Username returns the user name of a login. It is a hash of the word admin, for all
// accounts (python-kasa/python-kasa#1592). The error is an [*UnsupportedError].
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

// unbase64 decodes standard base64, with or without padding.
func unbase64(text lenient.Text) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(string(text), "="))
}
