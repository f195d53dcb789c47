// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package spake2plus

import (
	"bytes"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"math/big"
	"testing"

	"filippo.io/nistec"
)

// p384SHA512HMAC is P384-SHA512-HKDF-SHA512-HMAC-SHA512, which no plug uses. It
// shows that nothing depends on the one that they use.
var p384SHA512HMAC = newSuite(sha512.New, nistec.NewP384Point,
	[]uint64{0xecec196accc52973, 0x581a0db248b0a77a, 0xc7634d81f4372ddf, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff}, 48,
	"030ff0895ae5ebf6187080a82d82b42e2765e3b2f8749c7e05eba366434b363d3dc36f15314739074d2eb8613fceec2853",
	"02c72cf2e390853a1c1c4ad816a62fd15824f56078918f43f922ca21518f9c543bb252c5490214cf9aa3f0baab4b665c10")

// TestPoints makes M and N from their seeds, as RFC 9382, appendix A, does:
// nobody knows their logarithms.
func TestPoints(t *testing.T) {
	for _, tc := range []struct {
		suite *Suite
		curve elliptic.Curve
		oid   string
	}{
		{P256SHA256HMAC, elliptic.P256(), "1.2.840.10045.3.1.7"},
		{p384SHA512HMAC, elliptic.P384(), "1.3.132.0.34"},
	} {
		order := new(big.Int)
		for i, word := range tc.suite.order {
			order.Add(order, new(big.Int).Lsh(new(big.Int).SetUint64(word), uint(64*i)))
		}
		if order.Cmp(tc.curve.Params().N) != 0 {
			t.Errorf("%s: order %x", tc.curve.Params().Name, order)
		}
		for name, p := range map[string]point{"M": tc.suite.m, "N": tc.suite.n} {
			want := generate(t, tc.suite, fmt.Sprintf("%s point generation seed (%s)", tc.oid, name))
			if !bytes.Equal(p.bytes(), want.bytes()) {
				t.Errorf("%s of %s: got %x, want %x", name, tc.curve.Params().Name, p.bytes(), want.bytes())
			}
		}
	}
}

// generate returns the first hash of a seed that is a point.
func generate(t *testing.T, suite *Suite, seed string) point {
	t.Helper()
	iterated := func(times int) []byte {
		h := []byte(seed)
		for range times {
			sum := sha256.Sum256(h)
			h = sum[:]
		}
		return h
	}
	for i := 1; i < 1000; i++ {
		var encoded []byte
		for n := i; len(encoded) < suite.pointSize; n++ {
			encoded = append(encoded, iterated(n)...)
		}
		encoded = encoded[:suite.pointSize]
		encoded[0] = encoded[0]&1 | 2
		if p, err := suite.parse(encoded); err == nil {
			return p
		}
	}
	t.Fatal("no point")
	return nil
}

// TestSuites: both sides agree whatever the suite, and do not without the
// password.
func TestSuites(t *testing.T) {
	for _, suite := range []*Suite{P256SHA256HMAC, p384SHA512HMAC} {
		secret, err := NewSecret(suite, bytes.Repeat([]byte{7}, 2*suite.wideSize()))
		if err != nil {
			t.Fatal(err)
		}
		wrong, err := NewSecret(suite, bytes.Repeat([]byte{8}, 2*suite.wideSize()))
		if err != nil {
			t.Fatal(err)
		}
		record, err := secret.Record()
		if err != nil {
			t.Fatal(err)
		}
		for who, s := range map[string]*Secret{"right": secret, "wrong": wrong} {
			prover, errP := s.Prove()
			verifier, errV := record.Verify()
			if err := errors.Join(errP, errV); err != nil {
				t.Fatal(err)
			}
			ours, errP := prover.Finish(Binding{Context: []byte("test")}, verifier.Share())
			theirs, errV := verifier.Finish(Binding{Context: []byte("test")}, prover.Share())
			if err := errors.Join(errP, errV); err != nil {
				t.Fatal(err)
			}
			if agreed := bytes.Equal(ours.Shared, theirs.Shared) && bytes.Equal(ours.ConfirmP, theirs.ConfirmP); agreed != (who == "right") || len(ours.Shared) != suite.hash().Size() {
				t.Errorf("%d-byte scalars, %s password: agreed is %t", suite.scalarSize, who, agreed)
			}
		}
	}
}
