// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package spake2plus

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rand"
	"math/big"
	"testing"
)

// TestReduce compares with math/big, at multiples of the order and at random.
func TestReduce(t *testing.T) {
	for curve, suite := range map[elliptic.Curve]*Suite{elliptic.P256(): P256SHA256HMAC, elliptic.P384(): p384SHA512HMAC} {
		n := curve.Params().N
		check := func(wide []byte) {
			t.Helper()
			want := new(big.Int).Mod(new(big.Int).SetBytes(wide), n)
			if got := suite.reduce(wide); len(got) != suite.scalarSize || new(big.Int).SetBytes(got).Cmp(want) != 0 {
				t.Errorf("%x: got %x, want %x", wide, got, want)
			}
		}
		size := suite.wideSize()
		for _, multiple := range []int64{0, 1, 2, 1 << 40} {
			for _, off := range []int64{-1, 0, 1} {
				v := new(big.Int).Add(new(big.Int).Mul(n, big.NewInt(multiple)), big.NewInt(off))
				if v.Sign() >= 0 {
					check(v.FillBytes(make([]byte, size)))
				}
			}
		}
		check(bytes.Repeat([]byte{0xff}, size))
		for range 2000 {
			wide := make([]byte, size)
			rand.Read(wide)
			check(wide)
		}
	}
}
