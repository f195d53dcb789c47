// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// rejectedCredentials are credentials that a plug has refused, and why.
type rejectedCredentials struct {
	hashedCredentials
	Cause Cause `json:"cause"`
}

// hashedCredentials recognises credentials. They are stored as slow hashes with a salt of
// their own, so that guessing them takes long. A user name that the login did not use is not
// stored.
type hashedCredentials struct {
	Salt     []byte `json:"salt"`
	Username []byte `json:"username,omitempty"`
	Password []byte `json:"password,omitempty"`

	// Set if the credentials are those of this process.
	of             *plug.Credentials
	usernameUnused bool
	// Otherwise: results of the slow comparison.
	compared map[plug.Credentials]bool
}

// hashRounds takes some tens of milliseconds. Tests of many logins have fewer.
var hashRounds = 100_000

const hashSize = 16

// newHashed returns what recognises c. If it is to be stored, that takes some tens of
// milliseconds.
func newHashed(c plug.Credentials, usernameUnused, stored bool) hashedCredentials {
	h := hashedCredentials{of: &c, usernameUnused: usernameUnused}
	if !stored {
		return h
	}
	h.Salt = make([]byte, hashSize)
	rand.Read(h.Salt)
	if !usernameUnused {
		h.Username = h.hash(c.Username)
	}
	h.Password = h.hash(string(c.Password))
	return h
}

// is reports whether a login with c would be the same.
func (h *hashedCredentials) is(c plug.Credentials) bool {
	if h.of != nil {
		return (h.usernameUnused || c.Username == h.of.Username) && c.Password == h.of.Password
	}
	same, known := h.compared[c]
	if known {
		return same
	}
	same = (h.Username == nil || subtle.ConstantTimeCompare(h.Username, h.hash(c.Username)) == 1) &&
		subtle.ConstantTimeCompare(h.Password, h.hash(string(c.Password))) == 1
	if h.compared == nil {
		h.compared = map[plug.Credentials]bool{}
	}
	h.compared[c] = same
	return same
}

func (h *hashedCredentials) hash(secret string) []byte {
	hash, err := pbkdf2.Key(sha256.New, secret, h.Salt, hashRounds, hashSize)
	if err != nil {
		panic(err) // the constants above are valid
	}
	return hash
}
