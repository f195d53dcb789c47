// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// rejectedCredentials has credentials that the plug has refused. They are stored as slow hashes with
// a salt of their own, so that guessing them takes long. A user name that the login did not
// use is not stored.
type rejectedCredentials struct {
	Salt     []byte `json:"salt"`
	Username []byte `json:"username,omitempty"`
	Password []byte `json:"password,omitempty"`
	Cause    Cause  `json:"cause"`

	// Set if the credentials were refused in this process.
	of             *plug.Credentials
	usernameUnused bool
	// Otherwise: results of the slow comparison.
	compared map[plug.Credentials]bool
}

// rejectedRounds takes some tens of milliseconds. Tests of many logins have fewer.
var rejectedRounds = 100_000

const rejectedSize = 16

// newRejected returns refused credentials. If they are to be stored, hashing them takes
// some tens of milliseconds.
func newRejected(c plug.Credentials, rejected *transport.Rejected, why Cause, stored bool) *rejectedCredentials {
	r := &rejectedCredentials{Cause: why, of: &c, usernameUnused: rejected.UsernameUnused}
	if !stored {
		return r
	}
	r.Salt = make([]byte, rejectedSize)
	rand.Read(r.Salt)
	if !rejected.UsernameUnused {
		r.Username = r.hash(c.Username)
	}
	r.Password = r.hash(string(c.Password))
	return r
}

// is reports whether a login with c would be the one that was refused.
func (r *rejectedCredentials) is(c plug.Credentials) bool {
	if r.of != nil {
		return (r.usernameUnused || c.Username == r.of.Username) && c.Password == r.of.Password
	}
	same, known := r.compared[c]
	if known {
		return same
	}
	same = (r.Username == nil || subtle.ConstantTimeCompare(r.Username, r.hash(c.Username)) == 1) &&
		subtle.ConstantTimeCompare(r.Password, r.hash(string(c.Password))) == 1
	if r.compared == nil {
		r.compared = map[plug.Credentials]bool{}
	}
	r.compared[c] = same
	return same
}

func (r *rejectedCredentials) hash(secret string) []byte {
	hash, err := pbkdf2.Key(sha256.New, secret, r.Salt, rejectedRounds, rejectedSize)
	if err != nil {
		panic(err) // the constants above are valid
	}
	return hash
}
