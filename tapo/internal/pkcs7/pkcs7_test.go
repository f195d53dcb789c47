// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"bytes"
	"crypto/aes"
	"errors"
	"strings"
	"testing"
)

func TestPad(t *testing.T) {
	for message, want := range map[string]string{
		"":                 strings.Repeat("\x10", 16),
		"fifteen bytes..":  "fifteen bytes..\x01",
		"sixteen bytes...": "sixteen bytes..." + strings.Repeat("\x10", 16),
		"{}":               "{}" + strings.Repeat("\x0e", 14),
	} {
		got := Pad([]byte("head"), []byte(message))
		if string(got) != "head"+want {
			t.Errorf("%q: got %q, want %q", message, got, want)
		}
		if back, err := Unpad(got[4:]); err != nil || string(back) != message {
			t.Errorf("%q: got back %q, %v", message, back, err)
		}
	}
}

func TestUnpadErrors(t *testing.T) {
	block := func(end string) string { return strings.Repeat("x", aes.BlockSize-len(end)) + end }
	for name, padded := range map[string]string{
		"nothing":             "",
		"not a whole block":   "x\x01",
		"zero":                block("\x00"),
		"more than a block":   strings.Repeat("\x11", 32),
		"more than there is":  block("\xff"),
		"bytes that differ":   block("\x03\x02\x03"),
		"one byte too little": block("\x02"),
	} {
		if message, err := Unpad([]byte(padded)); !errors.Is(err, ErrPadding) {
			t.Errorf("%s: %q, %v", name, message, err)
		}
	}
}

// FuzzUnpad: what can be taken off is what would be put on.
func FuzzUnpad(f *testing.F) {
	f.Add([]byte("{}" + strings.Repeat("\x0e", 14)))
	f.Add(bytes.Repeat([]byte{16}, 16))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, padded []byte) {
		message, err := Unpad(padded)
		if err == nil && !bytes.Equal(Pad(nil, message), padded) {
			t.Errorf("%q out of %q", message, padded)
		}
	})
}
