// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package spake2plus is SPAKE2+ as RFC 9383 has it, with the cipher suite
// P256-SHA256-HKDF-SHA256-HMAC-SHA256.
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
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"filippo.io/nistec"
)

const (
	// ShareSize is the length of a share, an uncompressed point, in bytes.
	ShareSize = 65
	// ConfirmSize is the length of a confirmation in bytes.
	ConfirmSize = sha256.Size
	// KeySize is the length of the shared key in bytes.
	KeySize = sha256.Size

	compressedSize = 33
)

// ErrShare says that the other side's share is no point of the curve, or one
// that would make a known key.
var ErrShare = errors.New("the share is not a usable point of the curve")

// The points M and N of RFC 9383, section 4, for P-256.
var (
	pointM = mustPoint("02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f")
	pointN = mustPoint("03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49")
)

func mustPoint(text string) *nistec.P256Point {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	p, err := nistec.NewP256Point().SetBytes(b)
	if err != nil {
		panic(err)
	}
	return p
}

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
	w0, w1     []byte
	w0M, less0 *nistec.P256Point // w0*M and -w0*N, which do not change
}

// NewSecret takes the output of a password-based key derivation, of which the
// first half becomes w0 and the second w1. Each must have 40 bytes.
func NewSecret(derived []byte) (*Secret, error) {
	if len(derived) != 2*wideSize {
		return nil, errors.New("spake2plus: want 80 bytes")
	}
	return newSecret(reduce(derived[:wideSize]), reduce(derived[wideSize:]))
}

func newSecret(w0, w1 []byte) (*Secret, error) {
	w0M, err := nistec.NewP256Point().ScalarMult(pointM, w0)
	if err != nil {
		return nil, err
	}
	w0N, err := nistec.NewP256Point().ScalarMult(pointN, w0)
	if err != nil {
		return nil, err
	}
	return &Secret{w0: w0, w1: w1, w0M: w0M, less0: w0N.Negate(w0N)}, nil
}

// W0 returns w0, as 32 bytes.
func (s *Secret) W0() []byte { return s.w0 }

// Record is the registration record of a password, which a verifier holds. It
// does not let its holder pose as a prover.
type Record struct {
	w0         []byte
	w0N, less0 *nistec.P256Point // w0*N and -w0*M
	l          *nistec.P256Point
}

// Record makes the registration record.
func (s *Secret) Record() (*Record, error) {
	l, err := nistec.NewP256Point().ScalarBaseMult(s.w1)
	if err != nil {
		return nil, err
	}
	return &Record{
		w0: s.w0, l: l,
		w0N: nistec.NewP256Point().Negate(s.less0), less0: nistec.NewP256Point().Negate(s.w0M),
	}, nil
}

// Prover is the prover's half of one exchange.
type Prover struct {
	secret *Secret
	x      []byte
	share  []byte
}

// Prove starts an exchange.
func (s *Secret) Prove() (*Prover, error) { return s.prove(randomScalar()) }

func (s *Secret) prove(x []byte) (*Prover, error) {
	share, err := blind(x, s.w0M)
	return &Prover{secret: s, x: x, share: share}, err
}

// Share returns shareP.
func (p *Prover) Share() []byte { return p.share }

// Finish takes the verifier's share and returns the keys. The exchange has
// succeeded only when the verifier's confirmation is Keys.ConfirmV. The error
// wraps [ErrShare].
func (p *Prover) Finish(b Binding, shareV []byte) (Keys, error) {
	y, err := parseShare(shareV)
	if err != nil {
		return Keys{}, err
	}
	h := nistec.NewP256Point().Add(y, p.secret.less0)
	z, err := agree(h, p.x)
	if err != nil {
		return Keys{}, err
	}
	v, err := agree(h, p.secret.w1)
	if err != nil {
		return Keys{}, err
	}
	return schedule(b, p.share, y.Bytes(), z, v, p.secret.w0)
}

// Verifier is the verifier's half of one exchange.
type Verifier struct {
	record *Record
	y      []byte
	share  []byte
}

// Verify starts an exchange.
func (r *Record) Verify() (*Verifier, error) { return r.verify(randomScalar()) }

func (r *Record) verify(y []byte) (*Verifier, error) {
	share, err := blind(y, r.w0N)
	return &Verifier{record: r, y: y, share: share}, err
}

// Share returns shareV.
func (v *Verifier) Share() []byte { return v.share }

// Finish takes the prover's share and returns the keys. The exchange has
// succeeded only when the prover's confirmation is Keys.ConfirmP. The error
// wraps [ErrShare].
func (v *Verifier) Finish(b Binding, shareP []byte) (Keys, error) {
	x, err := parseShare(shareP)
	if err != nil {
		return Keys{}, err
	}
	h := nistec.NewP256Point().Add(x, v.record.less0)
	z, err := agree(h, v.y)
	if err != nil {
		return Keys{}, err
	}
	w, err := agree(v.record.l, v.y)
	if err != nil {
		return Keys{}, err
	}
	return schedule(b, x.Bytes(), v.share, z, w, v.record.w0)
}

// blind returns scalar*G + mask.
func blind(scalar []byte, mask *nistec.P256Point) ([]byte, error) {
	p, err := nistec.NewP256Point().ScalarBaseMult(scalar)
	if err != nil {
		return nil, err
	}
	return p.Add(p, mask).Bytes(), nil
}

// parseShare decodes a point. The length is looked at first, since the
// library takes a single zero byte for infinity.
func parseShare(share []byte) (*nistec.P256Point, error) {
	if len(share) != ShareSize && len(share) != compressedSize {
		return nil, ErrShare
	}
	p, err := nistec.NewP256Point().SetBytes(share)
	if err != nil {
		return nil, ErrShare
	}
	return p, nil
}

// agree returns scalar*p, which must not be infinity: then the key would be
// known to anybody.
func agree(p *nistec.P256Point, scalar []byte) ([]byte, error) {
	z, err := nistec.NewP256Point().ScalarMult(p, scalar)
	if err != nil {
		return nil, err
	}
	if z.IsInfinity() == 1 {
		return nil, ErrShare
	}
	return z.Bytes(), nil
}

// schedule derives the keys from the transcript (RFC 9383, section 3.4).
func schedule(b Binding, shareP, shareV, z, v, w0 []byte) (Keys, error) {
	main := sha256.Sum256(transcript(b, shareP, shareV, z, v, w0))
	keyP, keyV, err := confirmationKeys(main[:])
	if err != nil {
		return Keys{}, err
	}
	shared, err := hkdf.Key(sha256.New, main[:], nil, "SharedKey", KeySize)
	if err != nil {
		return Keys{}, err
	}
	return Keys{ConfirmP: mac(keyP, shareV), ConfirmV: mac(keyV, shareP), Shared: shared}, nil
}

func confirmationKeys(main []byte) (keyP, keyV []byte, err error) {
	both, err := hkdf.Key(sha256.New, main, nil, "ConfirmationKeys", 2*sha256.Size)
	if err != nil {
		return nil, nil, err
	}
	return both[:sha256.Size], both[sha256.Size:], nil
}

func transcript(b Binding, shareP, shareV, z, v, w0 []byte) []byte {
	var tt []byte
	for _, item := range [][]byte{
		b.Context, b.IDProver, b.IDVerifier, pointM.Bytes(), pointN.Bytes(), shareP, shareV, z, v, w0,
	} {
		tt = binary.LittleEndian.AppendUint64(tt, uint64(len(item)))
		tt = append(tt, item...)
	}
	return tt
}

func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

// randomScalar returns a number from 1 to n-1. The bias of the reduction is
// below 2^-63; zero does not happen.
func randomScalar() []byte {
	var wide [wideSize]byte
	rand.Read(wide[:])
	return reduce(wide[:])
}
