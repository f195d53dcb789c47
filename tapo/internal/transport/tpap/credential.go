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

// Credential is the input of the key derivation.
type Credential struct {
	Text string
	// Username and Password report whether Text depends on the account's e-mail address
	// and on its password.
	Username, Password bool
}

// Credential derives the credential of an account. extra is the JSON of `extra_crypt`,
// empty or null if the plug sends none. The formulas are those of
// python-kasa/python-kasa#1592; the plugs on record use password_shadow with passwd_id 2.
// The error is an [*UnsupportedError]: another formula would cost an attempt.
//
// The plug chooses the formula and its parameters, and whoever answers may pose as the
// plug. So where the password takes part, the map from password to credential must be
// injective up to hash collisions, whatever the plug sends: the whole password passes a
// cryptographic hash, or goes into SPAKE2+ unreduced. The type password_authkey is not
// like that. It maps each character through a dictionary that the plug sends, and a
// dictionary can be made so that each login reveals a bit of the password.
func (a Account) Credential(extra json.RawMessage) (Credential, error) {
	if len(extra) == 0 || string(extra) == "null" {
		if a.Username == "" {
			return Credential{Text: a.Password, Password: true}, nil
		}
		return Credential{Text: a.Username + "/" + a.Password, Username: true, Password: true}, nil
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
		return Credential{Text: hex.EncodeToString(sum[:]), Password: true}, nil
	}
	return Credential{}, unsupported("extra_crypt %q", x.Type)
}

// shadow derives the credential of the type password_shadow.
func (a Account) shadow(x ExtraCrypt) (Credential, error) {
	switch id := x.Params.PasswdID; {
	case id.Valid && id.Value == 1:
		salt, ok := cryptSalt(string(x.Params.PasswdPrefix), "$1$")
		if !ok {
			return Credential{}, unsupported("password_shadow 1 with passwd_prefix %q", x.Params.PasswdPrefix)
		}
		return Credential{Text: unixcrypt.MD5([]byte(a.Password), []byte(salt)), Password: true}, nil
	case id.Valid && id.Value == 2:
		sum := sha1.Sum([]byte(a.Password)) //nolint:gosec // as defined
		return Credential{Text: hex.EncodeToString(sum[:]), Password: true}, nil
	case id.Valid && id.Value == 3:
		mac, ok := colons(a.MAC)
		if !ok {
			return Credential{}, unsupported("password_shadow 3 without a MAC")
		}
		email := md5.Sum([]byte(a.Username))                              //nolint:gosec // as defined
		sum := sha1.Sum([]byte(hex.EncodeToString(email[:]) + "_" + mac)) //nolint:gosec // as defined
		return Credential{Text: hex.EncodeToString(sum[:]), Username: true}, nil
	case id.Valid && id.Value == 5:
		salt, ok := cryptSalt(string(x.Params.PasswdPrefix), "$5$")
		rounds := unixcrypt.DefaultRounds
		if before, after, found := strings.Cut(salt, "$"); found && strings.HasPrefix(before, "rounds=") {
			salt = after
			var n lenient.Number
			_ = n.UnmarshalJSON([]byte(strings.TrimPrefix(before, "rounds=")))
			rounds, ok = int(n.Value), ok && n.Valid && n.Value >= 0 && n.Value <= maxRounds
		}
		if n := x.Params.PasswdRounds; n.Valid {
			rounds, ok = int(n.Value), ok && n.Value >= 0 && n.Value <= maxRounds
		}
		if !ok {
			return Credential{}, unsupported("password_shadow 5 with passwd_prefix %q and passwd_rounds %v", x.Params.PasswdPrefix, x.Params.PasswdRounds.Value)
		}
		salt, _, _ = strings.Cut(salt, "$")
		return Credential{Text: unixcrypt.SHA256([]byte(a.Password), []byte(salt), rounds), Password: true}, nil
	default:
		return Credential{}, unsupported("password_shadow with passwd_id %v", id.Value)
	}
}

// cryptSalt returns the salt in a prefix of crypt(3): `salt` in `$1$salt$`.
func cryptSalt(prefix, scheme string) (string, bool) {
	rest, ok := strings.CutPrefix(prefix, scheme)
	return strings.TrimSuffix(rest, "$"), ok
}

// colons converts AABBCCDDEEFF to AA:BB:CC:DD:EE:FF.
func colons(mac string) (string, bool) {
	if len(mac) != 12 {
		return "", false
	}
	var parts []string
	for i := 0; i < len(mac); i += 2 {
		parts = append(parts, mac[i:i+2])
	}
	return strings.Join(parts, ":"), true
}

// DefaultCredential derives the credential of a plug without an account from the MAC
// address (python-kasa/python-kasa#1592). Anybody on the network can derive it. The error
// is an [*UnsupportedError].
func (a Account) DefaultCredential() (Credential, error) {
	m, err := hex.DecodeString(a.MAC)
	if err != nil || len(m) != 6 {
		return Credential{}, unsupported("a default passcode, but no MAC to make it of")
	}
	secret := append([]byte("GqY5o136oa4i6VprTlMW2DpVXxmfW8"), m[3], m[4], m[5], m[0], m[1], m[2])
	key, err := hkdf.Key(sha256.New, secret, []byte("tp-kdf-salt-default-passcode"), "tp-kdf-info-default-passcode", 32)
	return Credential{Text: strings.ToUpper(hex.EncodeToString(key))}, err
}
