// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package unixcrypt_test

import (
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/unixcrypt"
)

// TestSHA256 has the vectors of Ulrich Drepper's specification of SHA-crypt.
func TestSHA256(t *testing.T) {
	for _, v := range []struct {
		salt     string
		rounds   int
		password string
		want     string
	}{
		{"saltstring", 5000, "Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"},
		{"saltstringsaltstring", 10000, "Hello world!", "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"},
		{
			"anotherlongsaltstring", 1400, "a very much longer text to encrypt.  This one even stretches over morethan one line.",
			"$5$rounds=1400$anotherlongsalts$Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1",
		},
		{"short", 77777, "we have a short salt string but not a short password", "$5$rounds=77777$short$JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/"},
		{"asaltof16chars..", 123456, "a short string", "$5$rounds=123456$asaltof16chars..$gP3VQ/6X7UUEW3HkBn2w1/Ptq2jxPyzV/cZKmF/wJvD"},
		{"ab", 1000, "", "$5$rounds=1000$ab$Yd3BaIOVbovC2OGzlWXH53yhcyaWZscnPjMwuHC/2t3"}, // of glibc
		{"roundstoolow", 10, "the minimum number is still observed", "$5$rounds=1000$roundstoolow$yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC"},
	} {
		if got := unixcrypt.SHA256([]byte(v.password), []byte(v.salt), v.rounds); got != v.want {
			t.Errorf("%q: got %s, want %s", v.password, got, v.want)
		}
	}
}

// TestMD5 has what the crypt(3) of glibc prints.
func TestMD5(t *testing.T) {
	for _, v := range []struct{ salt, password, want string }{
		{"3azHgidD", "password", "$1$3azHgidD$SrJPt7B.9rekpmwJwtON31"},
		{"s", "über", "$1$s$/oZCF2VsvbziHoEsaAGTy."},
		{"longsaltlong", strings.Repeat("x", 100), "$1$longsalt$HWhpXhC0mRvTrnY.ONOFJ."},
		{"dOHYPKoP", "", "$1$dOHYPKoP$tnxS1T8Q6VVn3kpV8cN6o."},
	} {
		if got := unixcrypt.MD5([]byte(v.password), []byte(v.salt)); got != v.want {
			t.Errorf("%q: got %s, want %s", v.password, got, v.want)
		}
	}
}
