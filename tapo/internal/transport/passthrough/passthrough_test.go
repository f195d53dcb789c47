// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
)

type vectorFile struct {
	Passthrough struct {
		Key struct {
			PKCS8       string `json:"private_pkcs8_der_b64"`
			SPKI        string `json:"public_spki_der_b64"`
			PEM64       string `json:"public_spki_pem_64_columns"`
			PEMOneLine  string `json:"public_spki_pem_single_line"`
			ModulusHex  string `json:"n_hex"`
			PublicExpon int    `json:"e"`
		} `json:"rsa_test_key"`
		AESKey    string `json:"aes_key_hex"`
		AESIV     string `json:"aes_iv_hex"`
		Handshake struct {
			RequestJSON  string `json:"request_json"`
			Length       int    `json:"request_length_bytes"`
			ResponseJSON string `json:"response_json"`
			SealedKey    string `json:"encrypted_key_b64"`
		} `json:"handshake"`
		Exchanges []struct {
			Name          string `json:"name"`
			Path          string `json:"path_and_query"`
			InnerRequest  string `json:"inner_request_json"`
			Request       string `json:"request_b64"`
			OuterRequest  string `json:"outer_request_json"`
			InnerResponse string `json:"inner_response_json"`
			Response      string `json:"response_b64"`
			OuterResponse string `json:"outer_response_json"`
		} `json:"exchanges"`
		Credentials struct {
			Username string `json:"username"`
			Password string `json:"password"`
			Field    string `json:"username_field_b64"`
			V1       string `json:"login_v1_password_field_b64"`
			V2       string `json:"login_v2_password2_field_b64"`
		} `json:"credential_encoding"`
		KLAPOnly struct {
			RequestJSON  string `json:"request_json"`
			ResponseJSON string `json:"response_json"`
		} `json:"answer_of_a_klap_only_device"`
	} `json:"passthrough"`
}

func vectors(t testing.TB) vectorFile {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectorFile
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v vectorFile) key(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(v.Passthrough.Key.PKCS8)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

func (v vectorFile) cipher(t testing.TB) *Cipher {
	t.Helper()
	secret, err := hex.DecodeString(v.Passthrough.AESKey + v.Passthrough.AESIV)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if want == "" {
		t.Fatalf("%s: the vector is empty", what)
	}
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

func TestHandshakeVector(t *testing.T) {
	v := vectors(t)
	h := v.Passthrough.Handshake
	key := v.key(t)
	request, err := HandshakeRequest(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "request", string(request), h.RequestJSON)
	if len(request) != h.Length {
		t.Errorf("%d bytes, want %d", len(request), h.Length)
	}
	reply, ok := DecodeReply([]byte(h.ResponseJSON))
	if !ok || reply.Code() != 0 {
		t.Fatal("the response is not understood")
	}
	want(t, "key", string(reply.Result.Key), h.SealedKey)
	c, err := OpenKey(key, h.SealedKey)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "cipher", c.Seal([]byte("x")), v.cipher(t).Seal([]byte("x")))
}

func TestPublicKeyVectors(t *testing.T) {
	v := vectors(t).Passthrough.Key
	spki, err := DecodePublicKey(v.PEM64)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"columns": v.PEM64, "one line": v.PEMOneLine, "carriage returns": strings.ReplaceAll(v.PEM64, "\n", "\r\n"),
		"no final line feed": strings.TrimSuffix(v.PEM64, "\n"),
		"PKCS#1, relabelled": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(spki)})),
	} {
		key, err := DecodePublicKey(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want(t, name, hex.EncodeToString(key.N.Bytes()), v.ModulusHex)
		if key.E != v.PublicExpon {
			t.Errorf("%s: exponent %d, want %d", name, key.E, v.PublicExpon)
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		want(t, name+" DER", base64.StdEncoding.EncodeToString(der), v.SPKI)
	}
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	request, err := HandshakeRequest(&big.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var m Message
	if err := json.Unmarshal(request, &m); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "no PEM", m.Params.Key, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&big.PublicKey)})), "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		if _, err := DecodePublicKey(bad); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

func TestExchangeVectors(t *testing.T) {
	v := vectors(t)
	c := v.cipher(t)
	if len(v.Passthrough.Exchanges) != 7 {
		t.Fatalf("%d vectors, want 7", len(v.Passthrough.Exchanges))
	}
	for _, e := range v.Passthrough.Exchanges {
		t.Run(e.Name, func(t *testing.T) {
			sealed := c.Seal([]byte(e.InnerRequest))
			want(t, "sealed request", sealed, e.Request)
			want(t, "request", string(SealedRequest(sealed)), e.OuterRequest)

			reply, ok := DecodeReply([]byte(e.OuterResponse))
			if !ok {
				t.Fatal("the response is not understood")
			}
			if e.Name == "session_expired" {
				if !plugerr.LosesSession(reply.Code()) {
					t.Errorf("error_code %d does not lose the session", reply.Code())
				}
				return
			}
			plain, err := c.Open(string(reply.Result.Response))
			if err != nil {
				t.Fatal(err)
			}
			want(t, "response", string(plain), e.InnerResponse)
			if e.Response != "" {
				want(t, "sealed response", c.Seal([]byte(e.InnerResponse)), e.Response)
			}
		})
	}
}

func TestLoginVectors(t *testing.T) {
	v := vectors(t).Passthrough
	c := v.Credentials
	if got, want := LoginClear.Params(c.Username, c.Password), (LoginParams{Username: c.Field, Password: c.V1}); got != want {
		t.Errorf("version 1: %+v, want %+v", got, want)
	}
	if got, want := LoginHashed.Params(c.Username, c.Password), (LoginParams{Username: c.Field, Password2: c.V2}); got != want {
		t.Errorf("version 2: %+v, want %+v", got, want)
	}
	const millis = 1767225600000 // of the vectors
	for i, version := range []LoginVersion{LoginClear, LoginHashed} {
		body, err := json.Marshal(LoginRequest{Method: "login_device", Params: version.Params(c.Username, c.Password), Millis: millis})
		if err != nil {
			t.Fatal(err)
		}
		want(t, v.Exchanges[i].Name, string(body), v.Exchanges[i].InnerRequest)
	}
}

func TestKLAPOnlyDeviceVector(t *testing.T) {
	v := vectors(t)
	request, err := HandshakeRequest(&v.key(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "request", string(request), v.Passthrough.KLAPOnly.RequestJSON)
	if reply, ok := DecodeReply([]byte(v.Passthrough.KLAPOnly.ResponseJSON)); !ok || reply.Code() != plugerr.CodeUnknownTransport {
		t.Errorf("the answer is %+v, %t", reply, ok)
	}
}

func TestOpenRefusesDamage(t *testing.T) {
	c := vectors(t).cipher(t)
	for _, bad := range []string{"", "!", "AAAA", strings.Repeat("A", 64), c.Seal([]byte("x"))[1:]} {
		if plain, err := c.Open(bad); err == nil {
			t.Errorf("opened %q: %q", bad, plain)
		}
	}
	if _, err := NewCipher(make([]byte, 31)); err == nil {
		t.Error("a key of 31 bytes was accepted")
	}
}

func FuzzDecodeReply(f *testing.F) {
	v := vectors(f)
	f.Add([]byte(v.Passthrough.Handshake.ResponseJSON))
	for _, e := range v.Passthrough.Exchanges {
		f.Add([]byte(e.OuterResponse))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, ok := DecodeReply(data); ok && !r.ErrorCode.Valid && r.Result.Key == "" && r.Result.Response == "" {
			t.Error("a reply of nothing")
		}
		if sealed, ok := sealedReply(data); ok { // what a parser of JSON finds, too
			var r Reply
			if err := json.Unmarshal(data, &r); err != nil || string(r.Result.Response) != string(sealed) || r.Code() != 0 {
				t.Errorf("%q, %v, %+v", sealed, err, r)
			}
		}
	})
}

func FuzzOpen(f *testing.F) {
	v := vectors(f)
	c := v.cipher(f)
	for _, e := range v.Passthrough.Exchanges {
		f.Add(e.Response)
		f.Add(e.InnerResponse)
	}
	f.Fuzz(func(t *testing.T, message string) {
		plain, err := c.Open(message)
		if err == nil && !bytes.Equal(plain, []byte(message)) && len(plain) > len(message) {
			t.Errorf("%d bytes came out of %d", len(plain), len(message))
		}
	})
}

// FuzzKeys feeds anything to what opens the other side's keys.
func FuzzKeys(f *testing.F) {
	v := vectors(f)
	key := v.key(f)
	for _, e := range []string{"", "AAAA", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		f.Add(e)
	}
	if request, err := HandshakeRequest(&key.PublicKey); err == nil {
		var m Message
		if json.Unmarshal(request, &m) == nil {
			f.Add(m.Params.Key)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := OpenKey(key, text); err == nil {
			if plain, err := c.Open(c.Seal([]byte("x"))); err != nil || string(plain) != "x" {
				t.Errorf("a key that is none: %q, %v", plain, err)
			}
		}
		if public, err := DecodePublicKey(text); err == nil && public.N.BitLen() != KeyBits {
			t.Errorf("a key of %d bits", public.N.BitLen())
		}
	})
}
