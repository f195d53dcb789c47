// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package spake2plus

import (
	"encoding/binary"
	"math/bits"
)

// wideSize is how many bytes are reduced to a scalar: 64 bits more than one
// has, so that the result is as good as uniform (RFC 9383, section 3.2).
const wideSize = 40

// order is the order n of P-256, the least significant word first.
var order = [4]uint64{0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000}

// reduce returns wide mod n as 32 bytes, in constant time, which math/big does
// not promise: bit by bit it doubles a remainder and takes n away if it can.
func reduce(wide []byte) []byte {
	var r [4]uint64
	for _, b := range wide {
		for shift := 7; shift >= 0; shift-- {
			carry := uint64(b>>shift) & 1
			for i, word := range r {
				r[i], carry = word<<1|carry, word>>63
			}
			var less [4]uint64
			var borrow uint64
			for i := range r {
				less[i], borrow = bits.Sub64(r[i], order[i], borrow)
			}
			// 2r+1 < 2n, so the remainder is below n after one subtraction.
			keep := -(borrow &^ carry) // all ones when 2r was below n
			for i := range r {
				r[i] = r[i]&keep | less[i]&^keep
			}
		}
	}
	out := make([]byte, 0, 32)
	for i := range r {
		out = binary.BigEndian.AppendUint64(out, r[len(r)-1-i])
	}
	return out
}
