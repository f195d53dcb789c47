// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package aesccm is the CCM mode of block ciphers (NIST SP 800-38C, RFC 3610):
// counter mode for secrecy, and a CBC-MAC over the plain text as the tag. The
// standard library has no such mode.
package aesccm

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"math"
)

const blockSize = 16

// ErrOpen is the error of Open: the text, the tag or the nonce is not what was
// sealed.
var ErrOpen = errors.New("message authentication failed")

type ccm struct {
	block              cipher.Block
	nonceSize, tagSize int
}

// New returns CCM over a cipher with blocks of 16 bytes. Nonces have 7 to 13
// bytes; the longer they are, the shorter messages may be (2^(8*(15-size))-1
// bytes). Tags have 4 to 16 bytes, an even number. The result is safe for
// concurrent use. Its Seal panics on a nonce of the wrong size and on a message
// too long, as those of crypto/cipher do.
func New(block cipher.Block, nonceSize, tagSize int) (cipher.AEAD, error) {
	switch {
	case block.BlockSize() != blockSize:
		return nil, errors.New("aesccm: want a cipher with blocks of 16 bytes")
	case nonceSize < 7 || nonceSize > 13:
		return nil, errors.New("aesccm: want a nonce of 7 to 13 bytes")
	case tagSize < 4 || tagSize > blockSize || tagSize%2 != 0:
		return nil, errors.New("aesccm: want a tag of 4, 6, 8, 10, 12, 14 or 16 bytes")
	}
	return &ccm{block, nonceSize, tagSize}, nil
}

func (c *ccm) NonceSize() int { return c.nonceSize }
func (c *ccm) Overhead() int  { return c.tagSize }

func (c *ccm) Seal(dst, nonce, plaintext, additional []byte) []byte {
	if len(nonce) != c.nonceSize {
		panic("aesccm: nonce of the wrong size")
	}
	if uint64(len(plaintext)) > c.maxLength() {
		panic("aesccm: message too long")
	}
	tag := c.mac(nonce, plaintext, additional)
	start := len(dst)
	dst = append(dst, plaintext...) // as is: the counters are added in place
	dst = append(dst, tag[:c.tagSize]...)
	c.crypt(nonce, dst[start:start+len(plaintext)], dst[start+len(plaintext):])
	return dst
}

func (c *ccm) Open(dst, nonce, ciphertext, additional []byte) ([]byte, error) {
	if len(nonce) != c.nonceSize {
		panic("aesccm: nonce of the wrong size")
	}
	size := len(ciphertext) - c.tagSize
	if size < 0 || uint64(size) > c.maxLength() {
		return nil, ErrOpen
	}
	start := len(dst)
	dst = append(dst, ciphertext...)
	text, tag := dst[start:start+size], dst[start+size:]
	c.crypt(nonce, text, tag)
	want := c.mac(nonce, text, additional)
	if subtle.ConstantTimeCompare(tag, want[:c.tagSize]) != 1 {
		clear(dst[start:])
		return nil, ErrOpen
	}
	return dst[:start+size], nil
}

// maxLength is what the length field of the first block can hold.
func (c *ccm) maxLength() uint64 {
	if field := blockSize - 1 - c.nonceSize; field < 8 {
		return 1<<(8*field) - 1
	}
	return math.MaxUint64
}

// firstBlock writes flags, nonce and a number at the end, as CCM's blocks have
// them.
func (c *ccm) firstBlock(flags byte, nonce []byte, number uint64) (b [blockSize]byte) {
	binary.BigEndian.PutUint64(b[8:], number)
	b[0] = flags | byte(blockSize-2-c.nonceSize) //nolint:gosec // 1 to 7
	copy(b[1:], nonce)
	return b
}

// crypt applies the counter mode to the tag, with counter 0, and to the text.
func (c *ccm) crypt(nonce, text, tag []byte) {
	counter := c.firstBlock(0, nonce, 0)
	stream := cipher.NewCTR(c.block, counter[:])
	var pad [blockSize]byte
	stream.XORKeyStream(pad[:], pad[:])
	subtle.XORBytes(tag, tag, pad[:])
	stream.XORKeyStream(text, text)
}

// mac is the CBC-MAC over the first block, the additional data with its length,
// and the text, each filled up with zeros.
func (c *ccm) mac(nonce, text, additional []byte) [blockSize]byte {
	flags := byte(c.tagSize-2) / 2 << 3 //nolint:gosec // 2 to 14
	if len(additional) > 0 {
		flags |= 1 << 6
	}
	sum := c.firstBlock(flags, nonce, uint64(len(text)))
	c.block.Encrypt(sum[:], sum[:])
	if n := uint64(len(additional)); n > 0 {
		var head []byte
		switch {
		case n < 1<<16-1<<8:
			head = binary.BigEndian.AppendUint16(nil, uint16(n))
		case n <= math.MaxUint32:
			head = binary.BigEndian.AppendUint32([]byte{0xff, 0xfe}, uint32(n))
		default:
			head = binary.BigEndian.AppendUint64([]byte{0xff, 0xff}, n)
		}
		rest := blockSize - len(head)
		c.absorb(&sum, append(head, additional[:min(rest, len(additional))]...))
		c.absorb(&sum, additional[min(rest, len(additional)):])
	}
	c.absorb(&sum, text)
	return sum
}

func (c *ccm) absorb(sum *[blockSize]byte, data []byte) {
	for len(data) > 0 {
		n := subtle.XORBytes(sum[:], sum[:], data[:min(blockSize, len(data))])
		c.block.Encrypt(sum[:], sum[:])
		data = data[n:]
	}
}
