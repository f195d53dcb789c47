// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package spake2plus is SPAKE2+ as RFC 9383 has it.
//
// A prover, who knows a password, and a verifier, who holds a registration
// record made of it, agree on a key and prove to each other that they have it.
// Neither learns anything about the password from the other; a wrong guess
// costs an attempt. Names are the RFC's: shareP and shareV are what the two
// send first, confirmP and confirmV what they send then.
//
// Nothing here depends on secret values in its timing.
package spake2plus

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrShare says that the other side's share is no point of the curve, or one
// that would make a known key.
var ErrShare = errors.New("the share is not a usable point of the curve")

// Binding is what the keys are bound to beside the exchange itself; both sides
// must use the same.
type Binding struct {
	Context, IDProver, IDVerifier []byte
}

// Keys is what both sides have in the end.
type Keys struct {
	ConfirmP []byte // what the prover sends
	ConfirmV []byte // what the verifier sends
	Shared   []byte // for use in the session
}

// A Secret is what a prover derives from the password, once. It is as good as
// the password and may be used for any number of exchanges, also concurrently.
type Secret struct {
	suite      *Suite
	w0, w1     []byte
	w0M, less0 point // w0*M and -w0*N, which do not change
}

// NewSecret takes the output of a password-based key derivation, of which the
// first half becomes w0 and the second w1. Each must be 8 bytes longer than a
// scalar of the suite's curve: 40 bytes for P-256.
func NewSecret(suite *Suite, derived []byte) (*Secret, error) {
	half := suite.wideSize()
	if len(derived) != 2*half {
		return nil, fmt.Errorf("spake2plus: %d bytes instead of %d", len(derived), 2*half)
	}
	return newSecret(suite, suite.reduce(derived[:half]), suite.reduce(derived[half:]))
}

func newSecret(suite *Suite, w0, w1 []byte) (*Secret, error) {
	w0M, err := suite.m.mult(w0)
	if err != nil {
		return nil, err
	}
	w0N, err := suite.n.mult(w0)
	if err != nil {
		return nil, err
	}
	return &Secret{suite: suite, w0: w0, w1: w1, w0M: w0M, less0: w0N.negate()}, nil
}

// W0 returns w0, which is as long as the order of the curve's group.
func (s *Secret) W0() []byte { return s.w0 }

// Record is the registration record of a password, which a verifier holds. It
// does not let its holder pose as a prover.
type Record struct {
	suite      *Suite
	w0         []byte
	w0N, less0 point // w0*N and -w0*M
	l          point
}

// Record makes the registration record.
func (s *Secret) Record() (*Record, error) {
	l, err := s.suite.baseMult(s.w1)
	if err != nil {
		return nil, err
	}
	return &Record{suite: s.suite, w0: s.w0, l: l, w0N: s.less0.negate(), less0: s.w0M.negate()}, nil
}

// Prover is the prover's half of one exchange.
type Prover struct {
	secret *Secret
	x      []byte
	share  []byte
}

// Prove starts an exchange.
func (s *Secret) Prove() (*Prover, error) { return s.prove(s.suite.randomScalar()) }

func (s *Secret) prove(x []byte) (*Prover, error) {
	share, err := s.suite.blind(x, s.w0M)
	return &Prover{secret: s, x: x, share: share}, err
}

// Share returns shareP.
func (p *Prover) Share() []byte { return p.share }

// Finish takes the verifier's share and returns the keys. The exchange has
// succeeded only when the verifier's confirmation is Keys.ConfirmV. The error
// wraps [ErrShare].
func (p *Prover) Finish(b Binding, shareV []byte) (Keys, error) {
	suite := p.secret.suite
	y, err := suite.parseShare(shareV)
	if err != nil {
		return Keys{}, err
	}
	h := y.add(p.secret.less0)
	z, err := agree(h, p.x)
	if err != nil {
		return Keys{}, err
	}
	v, err := agree(h, p.secret.w1)
	if err != nil {
		return Keys{}, err
	}
	return suite.schedule(suite.transcript(b, p.share, y.bytes(), z, v, p.secret.w0), p.share, y.bytes())
}

// Verifier is the verifier's half of one exchange.
type Verifier struct {
	record *Record
	y      []byte
	share  []byte
}

// Verify starts an exchange.
func (r *Record) Verify() (*Verifier, error) { return r.verify(r.suite.randomScalar()) }

func (r *Record) verify(y []byte) (*Verifier, error) {
	share, err := r.suite.blind(y, r.w0N)
	return &Verifier{record: r, y: y, share: share}, err
}

// Share returns shareV.
func (v *Verifier) Share() []byte { return v.share }

// Finish takes the prover's share and returns the keys. The exchange has
// succeeded only when the prover's confirmation is Keys.ConfirmP. The error
// wraps [ErrShare].
func (v *Verifier) Finish(b Binding, shareP []byte) (Keys, error) {
	suite := v.record.suite
	x, err := suite.parseShare(shareP)
	if err != nil {
		return Keys{}, err
	}
	z, err := agree(x.add(v.record.less0), v.y)
	if err != nil {
		return Keys{}, err
	}
	w, err := agree(v.record.l, v.y)
	if err != nil {
		return Keys{}, err
	}
	return suite.schedule(suite.transcript(b, x.bytes(), v.share, z, w, v.record.w0), x.bytes(), v.share)
}

// blind returns scalar*G + mask.
func (s *Suite) blind(scalar []byte, mask point) ([]byte, error) {
	p, err := s.baseMult(scalar)
	if err != nil {
		return nil, err
	}
	return p.add(mask).bytes(), nil
}

// parseShare decodes a point, compressed or not. The length is looked at first,
// since the library takes a single zero byte for infinity.
func (s *Suite) parseShare(share []byte) (point, error) {
	if len(share) != s.pointSize && len(share) != 2*s.pointSize-1 {
		return nil, ErrShare
	}
	p, err := s.parse(share)
	if err != nil {
		return nil, ErrShare
	}
	return p, nil
}

// agree returns scalar*p, which must not be infinity: then the key would be
// known to anybody.
func agree(p point, scalar []byte) ([]byte, error) {
	z, err := p.mult(scalar)
	if err != nil {
		return nil, err
	}
	if z.isInfinity() {
		return nil, ErrShare
	}
	return z.bytes(), nil
}

// schedule derives the keys from the transcript (RFC 9383, section 3.4).
func (s *Suite) schedule(transcript, shareP, shareV []byte) (Keys, error) {
	main := s.digest(transcript)
	keyP, keyV, err := s.confirmationKeys(main)
	if err != nil {
		return Keys{}, err
	}
	shared, err := s.kdf(main, "SharedKey", len(main))
	if err != nil {
		return Keys{}, err
	}
	return Keys{ConfirmP: s.mac(keyP, shareV), ConfirmV: s.mac(keyV, shareP), Shared: shared}, nil
}

func (s *Suite) confirmationKeys(main []byte) (keyP, keyV []byte, err error) {
	both, err := s.kdf(main, "ConfirmationKeys", 2*len(main))
	if err != nil {
		return nil, nil, err
	}
	return both[:len(main)], both[len(main):], nil
}

func (s *Suite) transcript(b Binding, shareP, shareV, z, v, w0 []byte) []byte {
	var tt []byte
	for _, item := range [][]byte{
		b.Context, b.IDProver, b.IDVerifier, s.m.bytes(), s.n.bytes(), shareP, shareV, z, v, w0,
	} {
		tt = binary.LittleEndian.AppendUint64(tt, uint64(len(item)))
		tt = append(tt, item...)
	}
	return tt
}
