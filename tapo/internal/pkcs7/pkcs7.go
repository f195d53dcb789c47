// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package pkcs7 is the padding of PKCS #7 (RFC 5652, section 6.3) for the blocks
// of AES: as many bytes as are missing, each of which is their number, and a
// whole block where none is missing.
package pkcs7

import (
	"bytes"
	"crypto/aes"
	"errors"
)

// ErrPadding says that a message does not end in padding.
var ErrPadding = errors.New("the padding is wrong")

// Pad appends a message and its padding to dst.
func Pad(dst, message []byte) []byte {
	missing := aes.BlockSize - len(message)%aes.BlockSize
	dst = append(dst, message...)
	for range missing {
		dst = append(dst, byte(missing))
	}
	return dst
}

// Unpad returns a message without its padding, in the same array. It takes a time
// that depends on the padding, so whoever decrypts authenticates first where the
// protocol can. The error is [ErrPadding].
func Unpad(padded []byte) ([]byte, error) {
	if len(padded) == 0 || len(padded)%aes.BlockSize != 0 {
		return nil, ErrPadding
	}
	last := padded[len(padded)-1]
	message := padded[:max(0, len(padded)-int(last))]
	if last == 0 || last > aes.BlockSize || bytes.Count(padded[len(message):], []byte{last}) != int(last) {
		return nil, ErrPadding
	}
	return message, nil
}
