// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package unixcrypt is two of the password hashes of crypt(3): MD5 ("$1$", by
// Poul-Henning Kamp) and SHA-256 ("$5$", by Ulrich Drepper). They are here
// because devices ask for them, not because they would be a good choice today.
package unixcrypt

import (
	"bytes"
	"crypto/md5" //nolint:gosec // as defined
	"crypto/sha256"
	"fmt"
)

// The rounds of SHA-256.
const (
	DefaultRounds = 5000
	MinRounds     = 1000
	MaxRounds     = 999_999_999
)

const (
	maxSaltMD5    = 8
	maxSaltSHA256 = 16
)

// MD5 returns `$1$salt$hash`. The salt is cut to 8 bytes.
func MD5(password, salt []byte) string {
	salt = salt[:min(len(salt), maxSaltMD5)]
	sum := md5.Sum(bytes.Join([][]byte{password, salt, password}, nil)) //nolint:gosec // as defined
	text := append([]byte{}, password...)
	text = append(append(text, "$1$"...), salt...)
	text = append(text, repeat(sum[:], len(password))...)
	for n := len(password); n > 0; n /= 2 {
		if n%2 == 1 {
			text = append(text, 0)
		} else {
			text = append(text, password[0])
		}
	}
	sum = md5.Sum(text) //nolint:gosec // as defined
	for i := range 1000 {
		sum = md5.Sum(mix(i, sum[:], password, salt)) //nolint:gosec // as defined
	}
	out := fmt.Appendf(nil, "$1$%s$", salt)
	for _, t := range [][3]int{{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}} {
		out = encode(out, sum[t[0]], sum[t[1]], sum[t[2]], 4)
	}
	return string(encode(out, 0, 0, sum[11], 2))
}

// SHA256 returns `$5$salt$hash`, with `rounds=N$` in front of the salt if rounds
// is not the default. The salt is cut to 16 bytes, rounds brought within their
// limits.
func SHA256(password, salt []byte, rounds int) string {
	rounds = min(max(rounds, MinRounds), MaxRounds)
	salt = salt[:min(len(salt), maxSaltSHA256)]
	sum := sha256.Sum256(bytes.Join([][]byte{password, salt, password}, nil))
	text := append([]byte{}, password...)
	text = append(text, salt...)
	text = append(text, repeat(sum[:], len(password))...)
	for n := len(password); n > 0; n /= 2 {
		if n%2 == 1 {
			text = append(text, sum[:]...)
		} else {
			text = append(text, password...)
		}
	}
	sum = sha256.Sum256(text)
	p := sha256.Sum256(bytes.Repeat(password, len(password)))
	s := sha256.Sum256(bytes.Repeat(salt, 16+int(sum[0])))
	longPassword, longSalt := repeat(p[:], len(password)), repeat(s[:], len(salt))
	for i := range rounds {
		sum = sha256.Sum256(mix(i, sum[:], longPassword, longSalt))
	}
	out := []byte("$5$")
	if rounds != DefaultRounds {
		out = fmt.Appendf(out, "rounds=%d$", rounds)
	}
	out = append(append(out, salt...), '$')
	for _, t := range [][3]int{
		{0, 10, 20}, {21, 1, 11}, {12, 22, 2}, {3, 13, 23}, {24, 4, 14}, {15, 25, 5}, {6, 16, 26}, {27, 7, 17}, {18, 28, 8}, {9, 19, 29},
	} {
		out = encode(out, sum[t[0]], sum[t[1]], sum[t[2]], 4)
	}
	return string(encode(out, 0, sum[31], sum[30], 3))
}

// mix is the text of one round, the same in both schemes.
func mix(round int, sum, password, salt []byte) []byte {
	first, last := sum, password
	if round%2 == 1 {
		first, last = password, sum
	}
	text := append(make([]byte, 0, 2*len(password)+len(salt)+len(sum)), first...)
	if round%3 != 0 {
		text = append(text, salt...)
	}
	if round%7 != 0 {
		text = append(text, password...)
	}
	return append(text, last...)
}

// repeat returns n bytes of sum, over and over.
func repeat(sum []byte, n int) []byte {
	return bytes.Repeat(sum, n/len(sum)+1)[:n]
}

// encode appends digits of a 24-bit number, the lowest first.
func encode(out []byte, high, middle, low byte, digits int) []byte {
	const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	v := uint(high)<<16 | uint(middle)<<8 | uint(low)
	for range digits {
		out = append(out, alphabet[v&63])
		v >>= 6
	}
	return out
}
