// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package spake2plus

import (
	"encoding/binary"
	"math/bits"
)

// reduce returns wide modulo order as size bytes, in constant time, which
// math/big does not promise: bit by bit it doubles a remainder and takes order
// away if it can. The least significant word of order comes first.
func reduce(wide []byte, order []uint64, size int) []byte {
	r, less := make([]uint64, len(order)), make([]uint64, len(order))
	for _, b := range wide {
		for shift := 7; shift >= 0; shift-- {
			carry := uint64(b>>shift) & 1
			for i, word := range r {
				r[i], carry = word<<1|carry, word>>63
			}
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
	out := make([]byte, 0, 8*len(order))
	for i := range r {
		out = binary.BigEndian.AppendUint64(out, r[len(r)-1-i])
	}
	return out[len(out)-size:]
}
