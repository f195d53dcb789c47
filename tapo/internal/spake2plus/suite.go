// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package spake2plus

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"filippo.io/nistec"
)

// A Suite is a cipher suite of RFC 9383, section 4. The hash is also that of
// HKDF and of HMAC.
type Suite struct {
	hash  func() hash.Hash
	order []uint64 // of the curve's group, the least significant word first
	// scalarSize and pointSize are the lengths in bytes of a scalar and of a
	// compressed point.
	scalarSize, pointSize int
	parse                 func(encoded []byte) (point, error)
	baseMult              func(scalar []byte) (point, error)
	m, n                  point // the constants M and N of the curve
}

// P256SHA256HMAC is P256-SHA256-HKDF-SHA256-HMAC-SHA256.
var P256SHA256HMAC = newSuite(sha256.New, nistec.NewP256Point,
	[]uint64{0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000}, 32,
	"02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f",
	"03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49")

// newSuite returns the suite of a hash and a curve. M and N are hexadecimal and
// compressed, as in the RFC.
func newSuite[P nistPoint[P]](h func() hash.Hash, zero func() P, order []uint64, scalarSize int, m, n string) *Suite {
	s := &Suite{
		hash: h, order: order, scalarSize: scalarSize, pointSize: 1 + scalarSize,
		parse: func(encoded []byte) (point, error) {
			p, err := zero().SetBytes(encoded)
			return curvePoint[P]{p, zero}, err
		},
		baseMult: func(scalar []byte) (point, error) {
			p, err := zero().ScalarBaseMult(scalar)
			return curvePoint[P]{p, zero}, err
		},
	}
	s.m, s.n = s.mustParse(m), s.mustParse(n)
	return s
}

func (s *Suite) mustParse(text string) point {
	encoded, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	p, err := s.parse(encoded)
	if err != nil {
		panic(err)
	}
	return p
}

// wideSize is how many bytes are reduced to a scalar: 64 bits more than one
// has, so that the result is as good as uniform (RFC 9383, section 3.2).
func (s *Suite) wideSize() int { return s.scalarSize + 8 }

// reduce returns wide modulo the group's order.
func (s *Suite) reduce(wide []byte) []byte { return reduce(wide, s.order, s.scalarSize) }

// randomScalar returns a number from 1 to n-1. The bias of the reduction is
// below 2^-63; zero does not happen.
func (s *Suite) randomScalar() []byte {
	wide := make([]byte, s.wideSize())
	rand.Read(wide)
	return s.reduce(wide)
}

// kdf returns size bytes.
func (s *Suite) kdf(key []byte, info string, size int) ([]byte, error) {
	return hkdf.Key(s.hash, key, nil, info, size)
}

func (s *Suite) digest(message []byte) []byte {
	h := s.hash()
	h.Write(message)
	return h.Sum(nil)
}

func (s *Suite) mac(key, message []byte) []byte {
	h := hmac.New(s.hash, key)
	h.Write(message)
	return h.Sum(nil)
}

// point is a point of a suite's curve. Points of different curves do not mix.
type point interface {
	add(point) point
	negate() point
	mult(scalar []byte) (point, error)
	isInfinity() bool
	bytes() []byte
}

// nistPoint is what the curves of nistec have in common.
type nistPoint[P any] interface {
	Add(p, q P) P
	Negate(p P) P
	ScalarMult(p P, scalar []byte) (P, error)
	ScalarBaseMult(scalar []byte) (P, error)
	SetBytes(encoded []byte) (P, error)
	Bytes() []byte
	IsInfinity() int
}

// curvePoint is a point of nistec. Its methods leave it as it is.
type curvePoint[P nistPoint[P]] struct {
	p    P
	zero func() P
}

func (c curvePoint[P]) add(other point) point {
	return curvePoint[P]{c.zero().Add(c.p, other.(curvePoint[P]).p), c.zero}
}

func (c curvePoint[P]) negate() point { return curvePoint[P]{c.zero().Negate(c.p), c.zero} }

func (c curvePoint[P]) mult(scalar []byte) (point, error) {
	p, err := c.zero().ScalarMult(c.p, scalar)
	return curvePoint[P]{p, c.zero}, err
}

func (c curvePoint[P]) isInfinity() bool { return c.p.IsInfinity() == 1 }
func (c curvePoint[P]) bytes() []byte    { return c.p.Bytes() }
