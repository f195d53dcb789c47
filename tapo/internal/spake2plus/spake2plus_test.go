// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package spake2plus

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"filippo.io/nistec"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func equal(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if hex.EncodeToString(got) != want {
		t.Errorf("%s: got %x, want %s", what, got, want)
	}
}

// exchange is all values of a run with fixed scalars.
type exchange struct {
	binding                          Binding
	w0, w1, x, y                     []byte
	l, shareP, shareV, z, v          string
	transcript                       string // "" where it is not published
	main, keyP, keyV                 string
	confirmProver, confirmV, kShared string
}

func (e exchange) check(t *testing.T) {
	t.Helper()
	suite := P256SHA256HMAC
	secret, err := newSecret(suite, e.w0, e.w1)
	if err != nil {
		t.Fatal(err)
	}
	record, err := secret.Record()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "L", record.l.bytes(), e.l)
	prover, err := secret.prove(e.x)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := record.verify(e.y)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "shareP", prover.Share(), e.shareP)
	equal(t, "shareV", verifier.Share(), e.shareV)

	y, err := suite.parseShare(verifier.Share())
	if err != nil {
		t.Fatal(err)
	}
	h := y.add(secret.less0)
	z, errZ := agree(h, e.x)
	v, errV := agree(h, e.w1)
	if err := errors.Join(errZ, errV); err != nil {
		t.Fatal(err)
	}
	equal(t, "Z", z, e.z)
	equal(t, "V", v, e.v)
	tt := suite.transcript(e.binding, prover.Share(), verifier.Share(), z, v, e.w0)
	if e.transcript != "" {
		equal(t, "TT", tt, e.transcript)
	}
	main := suite.digest(tt)
	equal(t, "K_main", main, e.main)
	keyP, keyV, err := suite.confirmationKeys(main)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "K_confirmP", keyP, e.keyP)
	equal(t, "K_confirmV", keyV, e.keyV)

	ours, err := prover.Finish(e.binding, verifier.Share())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := verifier.Finish(e.binding, prover.Share())
	if err != nil {
		t.Fatal(err)
	}
	for side, keys := range map[string]Keys{"prover": ours, "verifier": theirs} {
		equal(t, side+" confirmP", keys.ConfirmP, e.confirmProver)
		equal(t, side+" confirmV", keys.ConfirmV, e.confirmV)
		equal(t, side+" K_shared", keys.Shared, e.kShared)
	}
}

// TestRFC has the vector for P256-SHA256-HKDF-SHA256-HMAC-SHA256 of RFC 9383,
// appendix C.
func TestRFC(t *testing.T) {
	exchange{
		binding: Binding{
			Context:  []byte("SPAKE2+-P256-SHA256-HKDF-SHA256-HMAC-SHA256 Test Vectors"),
			IDProver: []byte("client"), IDVerifier: []byte("server"),
		},
		w0:            unhex(t, "bb8e1bbcf3c48f62c08db243652ae55d3e5586053fca77102994f23ad95491b3"),
		w1:            unhex(t, "7e945f34d78785b8a3ef44d0df5a1a97d6b3b460409a345ca7830387a74b1dba"),
		l:             "04eb7c9db3d9a9eb1f8adab81b5794c1f13ae3e225efbe91ea487425854c7fc00f00bfedcbd09b2400142d40a14f2064ef31dfaa903b91d1faea7093d835966efd",
		x:             unhex(t, "d1232c8e8693d02368976c174e2088851b8365d0d79a9eee709c6a05a2fad539"),
		shareP:        "04ef3bd051bf78a2234ec0df197f7828060fe9856503579bb1733009042c15c0c1de127727f418b5966afadfdd95a6e4591d171056b333dab97a79c7193e341727",
		y:             unhex(t, "717a72348a182085109c8d3917d6c43d59b224dc6a7fc4f0483232fa6516d8b3"),
		shareV:        "04c0f65da0d11927bdf5d560c69e1d7d939a05b0e88291887d679fcadea75810fb5cc1ca7494db39e82ff2f50665255d76173e09986ab46742c798a9a68437b048",
		z:             "04bbfce7dd7f277819c8da21544afb7964705569bdf12fb92aa388059408d50091a0c5f1d3127f56813b5337f9e4e67e2ca633117a4fbd559946ab474356c41839",
		v:             "0458bf27c6bca011c9ce1930e8984a797a3419797b936629a5a937cf2f11c8b9514b82b993da8a46e664f23db7c01edc87faa530db01c2ee405230b18997f16b68",
		main:          "4c59e1ccf2cfb961aa31bd9434478a1089b56cd11542f53d3576fb6c2a438a29",
		keyP:          "871ae3f7b78445e34438fb284504240239031c39d80ac23eb5ab9be5ad6db58a",
		keyV:          "ccd53c7c1fa37b64a462b40db8be101cedcf838950162902054e644b400f1680",
		confirmProver: "926cc713504b9b4d76c9162ded04b5493e89109f6d89462cd33adc46fda27527",
		confirmV:      "9747bcc4f8fe9f63defee53ac9b07876d907d55047e6ff2def2e7529089d3e68",
		kShared:       "0c5f8ccd1413423a54f6c1fb26ff01534a87f893779c6e68666d772bfd91f3e7",
	}.check(t)
}

// TestTPAP has the three logins of TPAP's vectors, one of them with a w0 that
// begins with a zero byte.
func TestTPAP(t *testing.T) {
	data, err := os.ReadFile("../transport/tpap/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Inputs     struct{ X, Y, M, N string }
		Handshakes []struct {
			Name, PBKDF2, W0, W1, L, X, Y, Z, V, Context, TT, Ke, KcA, KcB, SharedKey string
			UserConfirm                                                               string `json:"user_confirm"`
			DevConfirm                                                                string `json:"dev_confirm"`
			Wrong                                                                     string `json:"wrong_user_confirm_if_w0_is_shortened"`
		}
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	equal(t, "M", P256SHA256HMAC.m.bytes(), vectors.Inputs.M)
	equal(t, "N", P256SHA256HMAC.n.bytes(), vectors.Inputs.N)
	if len(vectors.Handshakes) != 3 {
		t.Fatalf("%d logins, want 3", len(vectors.Handshakes))
	}
	for _, h := range vectors.Handshakes {
		t.Run(h.Name, func(t *testing.T) {
			secret, err := NewSecret(P256SHA256HMAC, unhex(t, h.PBKDF2))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "w0", secret.w0, h.W0)
			equal(t, "w1", secret.w1, h.W1)
			exchange{
				binding: Binding{Context: unhex(t, h.Context)},
				w0:      secret.w0, w1: secret.w1, l: h.L,
				x: unhex(t, vectors.Inputs.X), shareP: h.X, y: unhex(t, vectors.Inputs.Y), shareV: h.Y,
				z: h.Z, v: h.V, transcript: h.TT, main: h.Ke, keyP: h.KcA, keyV: h.KcB,
				confirmProver: h.UserConfirm, confirmV: h.DevConfirm, kShared: h.SharedKey,
			}.check(t)
			if h.Wrong == h.UserConfirm {
				t.Error("the wrong confirmation is the right one")
			}
		})
	}
}

func TestShares(t *testing.T) {
	secret, err := NewSecret(P256SHA256HMAC, bytes.Repeat([]byte{7}, 80))
	if err != nil {
		t.Fatal(err)
	}
	record, err := secret.Record()
	if err != nil {
		t.Fatal(err)
	}
	prover, errP := secret.Prove()
	verifier, errV := record.Verify()
	if err := errors.Join(errP, errV); err != nil {
		t.Fatal(err)
	}
	shareSize := len(verifier.Share())
	offCurve := bytes.Clone(verifier.Share())
	offCurve[shareSize-1] ^= 1
	for name, share := range map[string][]byte{
		"nothing":         nil,
		"infinity":        {0},
		"zeros":           make([]byte, shareSize),
		"off the curve":   offCurve,
		"one byte short":  verifier.Share()[:shareSize-1],
		"one byte more":   append(bytes.Clone(verifier.Share()), 0),
		"beyond the base": append([]byte{4}, bytes.Repeat([]byte{0xff}, 64)...),
		"H is infinity":   record.w0N.bytes(), // w0*N, so that nothing is left
	} {
		if _, err := prover.Finish(Binding{}, share); !errors.Is(err, ErrShare) {
			t.Errorf("prover, %s: %v", name, err)
		}
	}
	if _, err := verifier.Finish(Binding{}, secret.w0M.bytes()); !errors.Is(err, ErrShare) {
		t.Errorf("verifier, H is infinity: %v", err)
	}

	compressed, err := nistec.NewP256Point().SetBytes(verifier.Share())
	if err != nil {
		t.Fatal(err)
	}
	want, err := prover.Finish(Binding{}, verifier.Share())
	if err != nil {
		t.Fatal(err)
	}
	got, err := prover.Finish(Binding{}, compressed.BytesCompressed())
	if err != nil || !bytes.Equal(got.Shared, want.Shared) {
		t.Errorf("a compressed share leads to other keys: %v", err)
	}
	if _, err := NewSecret(P256SHA256HMAC, make([]byte, 64)); err == nil {
		t.Error("64 bytes made a secret")
	}
}

func TestExchangesDiffer(t *testing.T) {
	secret, err := NewSecret(P256SHA256HMAC, bytes.Repeat([]byte{7}, 80))
	if err != nil {
		t.Fatal(err)
	}
	a, errA := secret.Prove()
	b, errB := secret.Prove()
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(a.Share(), b.Share()) {
		t.Error("two exchanges have the same share")
	}
}
