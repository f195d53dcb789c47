// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/aesccm"
)

const (
	keySize   = 16
	nonceSize = 12
	seqSize   = 4
	tagSize   = 16
)

// Errors of [Frames.Open].
var (
	ErrLength   = errors.New("the frame is too short")
	ErrSequence = errors.New("the frame has another sequence number")
	ErrTag      = errors.New("the frame's tag does not match")
)

// Frames encrypts and decrypts the messages of one session in both directions. It is safe
// for concurrent use.
type Frames struct {
	aead cipher.AEAD
	base [nonceSize - seqSize]byte
}

// NewFrames derives a session's keys from the shared key of the login.
func NewFrames(shared []byte) (*Frames, error) {
	key, err := hkdf.Key(sha256.New, shared, []byte("tp-kdf-salt-aes128-key"), "tp-kdf-info-aes128-key", keySize)
	if err != nil {
		return nil, err
	}
	base, err := hkdf.Key(sha256.New, shared, []byte("tp-kdf-salt-aes128-iv"), "tp-kdf-info-aes128-iv", nonceSize)
	if err != nil {
		return nil, err
	}
	return newFrames(key, base)
}

func newFrames(key, base []byte) (*Frames, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := aesccm.New(block, nonceSize, tagSize)
	if err != nil {
		return nil, err
	}
	f := &Frames{aead: aead}
	copy(f.base[:], base)
	return f, nil
}

// Seal makes a frame. A client must never use a sequence number twice. A reply has the
// number of its request.
func (f *Frames) Seal(seq uint32, text []byte) []byte {
	nonce := f.nonce(seq)
	b := make([]byte, seqSize, seqSize+len(text)+tagSize)
	binary.BigEndian.PutUint32(b, seq)
	return f.aead.Seal(b, nonce[:], text, nil)
}

// Open returns the text of a frame, which must have the sequence number given.
func (f *Frames) Open(seq uint32, frame []byte) ([]byte, error) {
	got, err := Sequence(frame)
	switch {
	case err != nil:
		return nil, err
	case got != seq:
		return nil, ErrSequence
	}
	nonce := f.nonce(seq)
	text, err := f.aead.Open(nil, nonce[:], frame[seqSize:], nil)
	if err != nil {
		return nil, ErrTag
	}
	return text, nil
}

// Sequence returns a frame's sequence number.
func Sequence(frame []byte) (uint32, error) {
	if len(frame) < seqSize+tagSize {
		return 0, ErrLength
	}
	return binary.BigEndian.Uint32(frame), nil
}

func (f *Frames) nonce(seq uint32) (n [nonceSize]byte) {
	copy(n[:], f.base[:])
	binary.BigEndian.PutUint32(n[len(f.base):], seq)
	return n
}

// pathEscapes are the characters that would end the path or a part of it.
var pathEscapes = strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23", "/", "%2F")

// Path returns the path of a session's requests. It escapes nothing else, since devices
// compare the token without decoding it.
func Path(token string) string { return "/stok=" + pathEscapes.Replace(token) + "/ds" }
