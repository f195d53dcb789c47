// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"crypto/hkdf"
	"crypto/md5"  //nolint:gosec // as defined
	"crypto/sha1" //nolint:gosec // as defined
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/unixcrypt"
)

// maxRounds bounds the work that a plug can cause with passwd_rounds, to some tenths of a
// second.
const maxRounds = 1_000_000

// Account has the inputs of a credential.
type Account struct {
	Username string // the e-mail address
	Password string
	MAC      string // the plug's, as in Announcement
}

// ExtraCrypt is the plug's choice of the hash of the password.
type ExtraCrypt struct {
	Type   lenient.Text `json:"type"`
	Params struct {
		PasswdID     lenient.Number `json:"passwd_id"`
		PasswdPrefix lenient.Text   `json:"passwd_prefix"`
		PasswdRounds lenient.Number `json:"passwd_rounds"`
		SHAName      lenient.Number `json:"sha_name"`
		SHASalt      lenient.Text   `json:"sha_salt"`
	} `json:"params"`
}

// Credential is the input of the key derivation. It depends on the account's password.
type Credential struct {
	Text     string
	Scheme   string // the plug's choice, "" if it made none
	Username bool   // Text depends on the account's e-mail address too
}

// ErrPasswordUnused means that the plug asks for a credential that anybody can derive who
// has heard a broadcast: password_shadow 3, made of the e-mail address and the plug's MAC.
// A plug does so whose account is out of date (python-kasa/python-kasa#1592), and so does
// whoever wants to pose as a plug.
var ErrPasswordUnused = errors.New("the plug asks for a login in which the password takes no part, as one does whose account is out of date")

// Credential derives the credential of an account. extra is the JSON of `extra_crypt`,
// empty or null if the plug sends none. The formulas are those of
// python-kasa/python-kasa#1592; the plugs on record use password_shadow with passwd_id 2.
// The error is [ErrPasswordUnused] or an [*UnsupportedError]: another formula would cost
// an attempt.
//
// The plug chooses the formula and its parameters, and whoever answers may pose as the
// plug. So the map from password to credential must be injective up to hash collisions,
// whatever the plug sends: the whole password passes a cryptographic hash, or goes into
// SPAKE2+ unreduced. The type password_authkey is not like that. It maps each character
// through a dictionary that the plug sends, and a dictionary can be made so that each login
// reveals a bit of the password.
func (a Account) Credential(extra json.RawMessage) (Credential, error) {
	if len(extra) == 0 || string(extra) == "null" {
		if a.Username == "" {
			return Credential{Text: a.Password}, nil
		}
		return Credential{Text: a.Username + "/" + a.Password, Username: true}, nil
	}
	var x ExtraCrypt
	if json.Unmarshal(extra, &x) != nil {
		return Credential{}, unsupported("an extra_crypt that is no object of type and params")
	}
	switch x.Type {
	case "password_shadow":
		return a.shadow(x)
	case "password_sha_with_salt":
		name := "user"
		if x.Params.SHAName.Value == 0 {
			name = "admin"
		}
		salt, err := unbase64(x.Params.SHASalt)
		if err != nil || !x.Params.SHAName.Valid {
			return Credential{}, unsupported("extra_crypt password_sha_with_salt without sha_name, or with a sha_salt that is no base64")
		}
		sum := sha256.Sum256([]byte(name + string(salt) + a.Password))
		return Credential{Text: hex.EncodeToString(sum[:]), Scheme: string(x.Type)}, nil
	}
	return Credential{}, unsupported("extra_crypt %q", x.Type)
}

// The prefixes that crypt(3) makes for a password: $1$salt$ and $5$salt$, the latter also
// with a number of rounds. Whether the last $ belongs to it is a matter of taste.
var (
	cryptMD5    = regexp.MustCompile(`^\$1\$([./0-9A-Za-z]{1,8})\$?$`)
	cryptSHA256 = regexp.MustCompile(`^\$5\$(?:rounds=([1-9][0-9]{0,8})\$)?([./0-9A-Za-z]{1,16})\$?$`)
)

// shadow derives the credential of the type password_shadow.
func (a Account) shadow(x ExtraCrypt) (Credential, error) {
	prefix := string(x.Params.PasswdPrefix)
	switch id := x.Params.PasswdID; {
	case id.Valid && id.Value == 1:
		m := cryptMD5.FindStringSubmatch(prefix)
		if m == nil {
			return Credential{}, unsupported("password_shadow 1 with passwd_prefix %q", prefix)
		}
		return Credential{Text: unixcrypt.MD5([]byte(a.Password), []byte(m[1])), Scheme: "password_shadow 1"}, nil
	case id.Valid && id.Value == 2:
		sum := sha1.Sum([]byte(a.Password)) //nolint:gosec // as defined
		return Credential{Text: hex.EncodeToString(sum[:]), Scheme: "password_shadow 2"}, nil
	case id.Valid && id.Value == 3:
		return Credential{}, ErrPasswordUnused
	case id.Valid && id.Value == 5:
		m := cryptSHA256.FindStringSubmatch(prefix)
		rounds := float64(unixcrypt.DefaultRounds)
		switch n := x.Params.PasswdRounds; {
		case n.Valid:
			rounds = n.Value
		case m != nil && m[1] != "":
			rounds, _ = strconv.ParseFloat(m[1], 64) // digits
		}
		if m == nil || !(rounds >= 0 && rounds <= maxRounds) {
			return Credential{}, unsupported("password_shadow 5 with passwd_prefix %q and passwd_rounds %v", prefix, x.Params.PasswdRounds.Value)
		}
		return Credential{Text: unixcrypt.SHA256([]byte(a.Password), []byte(m[2]), int(rounds)), Scheme: "password_shadow 5"}, nil
	default:
		return Credential{}, unsupported("password_shadow with passwd_id %v", id.Value)
	}
}

// The credentials below have no password in them. A plug may ask for them, and the
// simulator has them, but this package never logs in with one: it would prove nothing.

// StaleCredential derives the credential of password_shadow 3, see [ErrPasswordUnused]. The
// error is an [*UnsupportedError].
func (a Account) StaleCredential() (string, error) {
	m, err := hex.DecodeString(a.MAC)
	if err != nil || len(m) != 6 {
		return "", unsupported("password_shadow 3 without a MAC")
	}
	email := md5.Sum([]byte(a.Username))                                                             //nolint:gosec // as defined
	sum := sha1.Sum(fmt.Appendf(nil, "%x_%s", email, strings.ToUpper(net.HardwareAddr(m).String()))) //nolint:gosec // as defined
	return hex.EncodeToString(sum[:]), nil
}

// DefaultCredential derives the credential of a plug without an account from the MAC
// address (python-kasa/python-kasa#1592). Anybody on the network can derive it. The error
// is an [*UnsupportedError].
func (a Account) DefaultCredential() (string, error) {
	m, err := hex.DecodeString(a.MAC)
	if err != nil || len(m) != 6 {
		return "", unsupported("a default passcode, but no MAC to make it of")
	}
	secret := append([]byte("GqY5o136oa4i6VprTlMW2DpVXxmfW8"), m[3], m[4], m[5], m[0], m[1], m[2])
	key, err := hkdf.Key(sha256.New, secret, []byte("tp-kdf-salt-default-passcode"), "tp-kdf-info-default-passcode", 32)
	return strings.ToUpper(hex.EncodeToString(key)), err
}
