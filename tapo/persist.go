// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"time"
)

// RejectionStore keeps, beyond the life of the process, which plugs have
// refused logins, so that a restart spends no attempt that a plug counts. Its
// methods are called during reads, possibly of several devices at a time.
type RejectionStore interface {
	// Load returns what was saved for an address, nil if nothing is.
	Load(address string) []byte
	// Save replaces it; a nil state removes it.
	Save(address string, state []byte)
}

// record is a rejection as it is stored. The credentials are in it as hashes
// with a salt of their own, slow enough to be of little use to a thief.
type record struct {
	Salt     []byte    `json:"salt"`
	Username []byte    `json:"username"`
	Password []byte    `json:"password"`
	Reason   Reason    `json:"reason"`
	Protocol Protocol  `json:"protocol"`
	Text     string    `json:"text"`
	Advice   string    `json:"advice"`
	Next     time.Time `json:"next"`

	Final          bool `json:"final"`
	Unknown        int  `json:"unknown"`
	CauseFinal     bool `json:"rejected"`
	AttemptsLeft   int  `json:"attempts_left"`
	UsernameUnused bool `json:"username_unused"`
	PasswordUnused bool `json:"password_unused"`
}

const (
	recordRounds = 100_000
	recordSize   = 16
)

func recordHash(salt []byte, secret string) []byte {
	hash, err := pbkdf2.Key(sha256.New, secret, salt, recordRounds, recordSize)
	if err != nil {
		panic(err) // of the constants above
	}
	return hash
}

// storeRejection saves a rejection that a restart must not undo.
func (d *Device) storeRejection(ctx context.Context) {
	if d.cfg.Rejections == nil || !d.memory.rejected.bars() {
		return
	}
	r, salt := d.memory.rejected, make([]byte, recordSize)
	rand.Read(salt)
	state, err := json.Marshal(record{
		Salt: salt, Username: recordHash(salt, d.cfg.Credentials.Username), Password: recordHash(salt, string(d.cfg.Credentials.Password)),
		Reason: r.cause.reason, Protocol: r.cause.protocol, Text: r.cause.text, Advice: r.cause.advice, Next: r.next,
		Final: r.final, Unknown: r.unknown, CauseFinal: r.cause.final, AttemptsLeft: r.cause.attemptsLeft,
		UsernameUnused: r.cause.usernameUnused, PasswordUnused: r.cause.passwordUnused,
	})
	if err != nil {
		d.cfg.Logger.WarnContext(ctx, "A refused login cannot be remembered over restarts", "err", err)
		return
	}
	d.cfg.Rejections.Save(d.cfg.Address, state)
}

// restoreRejection takes what an earlier process has saved, once.
func (d *Device) restoreRejection(ctx context.Context) {
	if d.cfg.Rejections == nil || d.restored {
		return
	}
	d.restored = true
	state := d.cfg.Rejections.Load(d.cfg.Address)
	if state == nil {
		return
	}
	var s record
	if err := json.Unmarshal(state, &s); err != nil {
		d.cfg.Logger.WarnContext(ctx, "What was remembered of a refused login cannot be read", "err", err)
		return
	}
	r := rejection{
		cause: &failure{
			reason: s.Reason, protocol: s.Protocol, text: s.Text, advice: s.Advice, final: s.CauseFinal, outcomeUnknown: s.Unknown > 0,
			attemptsLeft: s.AttemptsLeft, usernameUnused: s.UsernameUnused, passwordUnused: s.PasswordUnused,
		},
		next: s.Next, final: s.Final, unknown: s.Unknown,
	}
	same := func(hash []byte, secret string) bool {
		return subtle.ConstantTimeCompare(hash, recordHash(s.Salt, secret)) == 1
	}
	d.memory.rejected = r.under(same(s.Username, d.cfg.Credentials.Username), same(s.Password, string(d.cfg.Credentials.Password)))
}
