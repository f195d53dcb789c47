// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tdp

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// vectors are those of testdata/vectors.json.
type vectors struct {
	Empty struct {
		Frame string `json:"frame_hex"`
	} `json:"empty_probe"`
	Probe2048 probeVector `json:"probe_rsa_2048"`
	Probe1024 probeVector `json:"probe_rsa_1024"`
	Key       struct {
		Private string `json:"private_pkcs8_der_b64"`
	} `json:"rsa_test_key_2048"`
	Responses []struct {
		Name      string
		Payload   string `json:"payload_json"`
		Frame     string `json:"frame_hex"`
		Decrypted string `json:"decrypted_json"`
	}
}

type probeVector struct {
	Frame string `json:"frame_hex"`
}

func load(t *testing.T) (v vectors, key *rsa.PrivateKey) {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	der, err := base64.StdEncoding.DecodeString(v.Key.Private)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	key, _ = parsed.(*rsa.PrivateKey)
	return v, key
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil || len(b) == 0 {
		t.Fatalf("%q: %v", text, err)
	}
	return b
}

func TestProbes(t *testing.T) {
	v, private := load(t)
	if got := Empty(); !bytes.Equal(got, unhex(t, v.Empty.Frame)) {
		t.Errorf("empty: %x", got)
	}
	if key, ok := ParseProbe(Empty()); key != nil || !ok {
		t.Errorf("the empty probe parses as %v, %t", key, ok)
	}
	want := unhex(t, v.Probe2048.Frame)
	got, err := Probe(0x01020304, &private.PublicKey)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got  %x, %v\nwant %x", got, err, want)
	}
	if key, ok := ParseProbe(want); !ok || !private.PublicKey.Equal(key) {
		t.Errorf("parsed %v, %t", key, ok)
	}
	if key, ok := ParseProbe(unhex(t, v.Probe1024.Frame)); !ok || key == nil || key.N.BitLen() != 1024 {
		t.Errorf("PKCS #1: %v, %t", key, ok)
	}
	for i := range want { // every bit of it counts, if only by the sum
		damaged := bytes.Clone(want)
		damaged[i] ^= 1
		if _, ok := ParseProbe(damaged); ok {
			t.Errorf("byte %d damaged, and taken", i)
		}
	}
}

func TestReplies(t *testing.T) {
	v, private := load(t)
	decrypted := 0
	for _, r := range v.Responses {
		framed := unhex(t, r.Frame)
		if got := Reply([]byte(r.Payload)); !bytes.Equal(got, framed) {
			t.Errorf("%s: framed as %x", r.Name, got)
		}
		if got := Payload(framed); string(got) != r.Payload {
			t.Errorf("%s: payload %s", r.Name, got)
		}
		var reply struct {
			Result struct {
				Info *Encrypted `json:"encrypt_info"`
			} `json:"result"`
		}
		if err := json.Unmarshal(Payload(framed), &reply); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		if info := reply.Result.Info; info != nil {
			decrypted++
			if plain, err := info.Open(private); err != nil || string(plain) != r.Decrypted {
				t.Errorf("%s: %s, %v", r.Name, plain, err)
			}
			info.Data[0] ^= 1
			info.Data[len(info.Data)-1] ^= 1
			if _, err := info.Open(private); err == nil {
				t.Errorf("%s: damaged, and opened", r.Name)
			}
			if _, err := (Encrypted{Key: info.Key, Data: info.Data[1:]}).Open(private); err == nil {
				t.Errorf("%s: cut short, and opened", r.Name)
			}
		}
	}
	if len(v.Responses) != 7 || decrypted != 1 {
		t.Errorf("%d replies, %d decrypted", len(v.Responses), decrypted)
	}
}

func TestShortPackets(t *testing.T) {
	for n := range headerSize + 2 {
		Payload(make([]byte, n))
		if _, ok := ParseProbe(make([]byte, n)); ok {
			t.Errorf("%d zero bytes are a probe", n)
		}
	}
}

func FuzzParseProbe(f *testing.F) {
	f.Add(Empty())
	f.Add(frame(keyFlags, 1, []byte(`{"params":{"rsa_key":"x"}}`)))
	f.Fuzz(func(t *testing.T, packet []byte) {
		if _, ok := ParseProbe(packet); ok && !bytes.HasPrefix(packet, []byte{version, 0, 0, opProbe}) {
			t.Errorf("%x", packet)
		}
		if len(packet) >= headerSize { // with a good sum, so that the rest is tried
			ParseProbe(frame(packet[6], 7, packet[headerSize:]))
		}
	})
}
