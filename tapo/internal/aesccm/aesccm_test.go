// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package aesccm_test

import (
	"bytes"
	"crypto/aes"
	"crypto/des"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/aesccm"
)

// nist has the four examples of NIST SP 800-38C, appendix C.
var nist = []struct {
	nonce, additional, text, sealed string
	tag                             int
}{
	{"10111213141516", "0001020304050607", "20212223", "7162015b4dac255d", 4},
	{
		"1011121314151617", "000102030405060708090a0b0c0d0e0f", "202122232425262728292a2b2c2d2e2f",
		"d2a1f0e051ea5f62081a7792073d593d1fc64fbfaccd", 6,
	},
	{
		"101112131415161718191a1b", "000102030405060708090a0b0c0d0e0f10111213", "202122232425262728292a2b2c2d2e2f3031323334353637",
		"e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951", 8,
	},
	{
		"101112131415161718191a1b1c", "", "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
		"69915dad1e84c6376a68c2967e4dab615ae0fd1faec44cc484828529463ccf72b4ac6bec93e8598e7f0dadbcea5b", 14,
	},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNIST(t *testing.T) {
	block, err := aes.NewCipher(unhex(t, "404142434445464748494a4b4c4d4e4f"))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range nist {
		nonce, additional, text := unhex(t, v.nonce), unhex(t, v.additional), unhex(t, v.text)
		if i == 3 { // 0 to 255, over and over, 524288 bits of it
			for n := range 65536 {
				additional = append(additional, byte(n))
			}
		}
		c, err := aesccm.New(block, len(nonce), v.tag)
		if err != nil {
			t.Fatal(err)
		}
		sealed := c.Seal([]byte("before"), nonce, text, additional)
		if got := hex.EncodeToString(sealed[6:]); got != v.sealed || string(sealed[:6]) != "before" {
			t.Errorf("example %d: sealed %s, want %s", i+1, got, v.sealed)
		}
		opened, err := c.Open([]byte("before"), nonce, sealed[6:], additional)
		if err != nil || !bytes.Equal(opened, append([]byte("before"), text...)) {
			t.Errorf("example %d: opened %x, %v", i+1, opened, err)
		}
		for bit := range 8 * len(sealed[6:]) {
			damaged := bytes.Clone(sealed[6:])
			damaged[bit/8] ^= 1 << (bit % 8)
			if got, err := c.Open(nil, nonce, damaged, additional); !errors.Is(err, aesccm.ErrOpen) || got != nil {
				t.Errorf("example %d: opened with bit %d wrong", i+1, bit)
			}
		}
		if _, err := c.Open(nil, nonce, sealed[6:], append(additional, 0)); !errors.Is(err, aesccm.ErrOpen) {
			t.Errorf("example %d: opened with other additional data", i+1)
		}
	}
}

func TestLimits(t *testing.T) {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	for _, sizes := range [][2]int{{6, 16}, {14, 16}, {12, 2}, {12, 18}, {12, 5}} {
		if _, err := aesccm.New(block, sizes[0], sizes[1]); err == nil {
			t.Errorf("nonce of %d, tag of %d: no error", sizes[0], sizes[1])
		}
	}
	small, err := des.NewCipher(make([]byte, 8))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := aesccm.New(small, 12, 16); err == nil {
		t.Error("DES: no error")
	}
	c, err := aesccm.New(block, 13, 16)
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, 13)
	for n := range 16 {
		if _, err := c.Open(nil, nonce, make([]byte, n), nil); !errors.Is(err, aesccm.ErrOpen) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if n := len(c.Seal(nil, nonce, make([]byte, 65535), nil)); n != 65535+c.Overhead() {
		t.Errorf("the longest message has %d bytes", n)
	}
	panics(t, "message too long", func() { c.Seal(nil, nonce, make([]byte, 65536), nil) })
	panics(t, "short nonce", func() { c.Seal(nil, nonce[:12], nil, nil) })
	panics(t, "short nonce at Open", func() { _, _ = c.Open(nil, nonce[:12], make([]byte, 16), nil) })
}

func panics(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", what)
		}
	}()
	f()
}
