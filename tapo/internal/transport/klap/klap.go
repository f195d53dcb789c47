// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package klap implements the KLAP transport, which plugs speak with firmware from 2023
// until 1.4, and with later firmware if Third-Party Compatibility is on
// (docs/protocols.md).
//
// Client and plug exchange a random seed each. Then both prove, with hashes over the
// seeds, that they have the account's credentials. The plug proves first, so a host
// without the credentials learns nothing. Session keys are hashes over the same values.
// Each message is AES-CBC with a signature and a sequence number, sent as
// `POST /app/request?seq=N`.
//
// klap.go has the primitives, which the simulator shares. client.go has the client's
// half, and transport.go implements [transport.Transport] with it. Formulas and vectors
// are those of python-kasa's klaptransport.py. python-kasa ignores the signature of
// replies; other clients verify it, and a target can turn that off (verify_replies).
package klap

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"  //nolint:gosec // KLAP v1 is defined with it.
	"crypto/sha1" //nolint:gosec // KLAP v2 is defined with it.
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/pkcs7"
)

const (
	// SeedSize is the length of a seed in bytes.
	SeedSize = 16
	// HashSize is the length of a handshake's proof in bytes.
	HashSize = sha256.Size

	sigSize = sha256.Size
)

// Errors of [Cipher.Open].
var (
	ErrFrame     = errors.New("the frame's length is impossible")
	ErrSignature = errors.New("the signature does not match")
)

// Version is a family of hash formulas.
type Version int

// SMART plugs use V2, old Kasa firmware V1. Newer Kasa firmware uses V2 as well
// (python-kasa/python-kasa#1604).
const (
	V1 Version = 1
	V2 Version = 2
)

// AuthHash returns the hash of the credentials that all other formulas use. It neither
// trims nor lower-cases, as plugs do not. The hash is enough to log in, so it is as
// secret as the password.
func (v Version) AuthHash(username, password string) []byte {
	if v == V1 {
		u, p := md5.Sum([]byte(username)), md5.Sum([]byte(password)) //nolint:gosec // as defined
		h := md5.Sum(append(u[:], p[:]...))                          //nolint:gosec // as defined
		return h[:]
	}
	u, p := sha1.Sum([]byte(username)), sha1.Sum([]byte(password)) //nolint:gosec // as defined
	return hash(u[:], p[:])
}

// ServerHash returns the plug's proof, which the reply to handshake1 has after its seed.
func (v Version) ServerHash(local, remote, auth []byte) []byte {
	if v == V1 {
		return hash(local, auth)
	}
	return hash(local, remote, auth)
}

// ClientHash returns the client's proof, the body of handshake2.
func (v Version) ClientHash(local, remote, auth []byte) []byte {
	if v == V1 {
		return hash(remote, auth)
	}
	return hash(remote, local, auth)
}

// Cipher seals and opens the messages of one session. Its methods are safe for
// concurrent use.
type Cipher struct {
	block    cipher.Block
	ivPrefix [12]byte
	sig      [28]byte
	initial  int32
}

// NewCipher derives the session's keys from both seeds and the auth hash.
func NewCipher(local, remote, auth []byte) *Cipher {
	c := &Cipher{}
	block, err := aes.NewCipher(hash([]byte("lsk"), local, remote, auth)[:16])
	if err != nil {
		panic(err) // 16 bytes are always a key
	}
	c.block = block
	iv := hash([]byte("iv"), local, remote, auth)
	copy(c.ivPrefix[:], iv)
	c.initial = int32(binary.BigEndian.Uint32(iv[28:])) //nolint:gosec // signed by definition
	copy(c.sig[:], hash([]byte("ldk"), local, remote, auth))
	return c
}

// InitialSeq returns the sequence number before that of the first request.
func (c *Cipher) InitialSeq() int32 { return c.initial }

// Seal encrypts and signs a message. A request and its reply have the same
// sequence number.
func (c *Cipher) Seal(seq int32, plain []byte) []byte {
	frame := pkcs7.Pad(make([]byte, sigSize, sigSize+len(plain)+aes.BlockSize), plain)
	ct := frame[sigSize:]
	cipher.NewCBCEncrypter(c.block, c.iv(seq)).CryptBlocks(ct, ct)
	sig := c.sign(seq, ct)
	copy(frame, sig[:])
	return frame
}

// Open verifies a frame in constant time, and decrypts it in place. If verify is false,
// it ignores the signature, for plugs that do not sign.
func (c *Cipher) Open(seq int32, frame []byte, verify bool) ([]byte, error) {
	if len(frame) < sigSize+aes.BlockSize || len(frame)%aes.BlockSize != 0 {
		return nil, ErrFrame
	}
	ct := frame[sigSize:]
	if sig := c.sign(seq, ct); verify && subtle.ConstantTimeCompare(frame[:sigSize], sig[:]) != 1 {
		return nil, ErrSignature
	}
	cipher.NewCBCDecrypter(c.block, c.iv(seq)).CryptBlocks(ct, ct)
	return pkcs7.Unpad(ct)
}

func (c *Cipher) iv(seq int32) []byte {
	iv := make([]byte, 0, aes.BlockSize)
	return appendSeq(append(iv, c.ivPrefix[:]...), seq)
}

func (c *Cipher) sign(seq int32, ct []byte) (sig [sigSize]byte) {
	h := sha256.New()
	head := appendSeq(append(make([]byte, 0, len(c.sig)+4), c.sig[:]...), seq)
	h.Write(head)
	h.Write(ct)
	h.Sum(sig[:0])
	return sig
}

func appendSeq(b []byte, seq int32) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(seq)) //nolint:gosec // the same bits
}

func hash(parts ...[]byte) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
