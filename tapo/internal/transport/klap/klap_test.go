// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package klap

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
)

// hexBytes is hexadecimal in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type vectorSession struct {
	Name               string   `json:"name"`
	Version            Version  `json:"version"`
	Username           string   `json:"username"`
	Password           string   `json:"password"`
	LocalSeed          hexBytes `json:"local_seed_hex"`
	RemoteSeed         hexBytes `json:"remote_seed_hex"`
	AuthHash           hexBytes `json:"auth_hash_hex"`
	Handshake1Response hexBytes `json:"handshake1_response_body_hex"`
	ServerHash         hexBytes `json:"server_hash_hex"`
	Handshake2Request  hexBytes `json:"handshake2_request_body_hex"`
	InitialSeq         int32    `json:"initial_seq"`
	SigKey             hexBytes `json:"sig_key_hex"`
	IVPrefix           hexBytes `json:"iv_prefix_hex"`
	Exchanges          []struct {
		Name         string   `json:"name"`
		Seq          int32    `json:"seq"`
		Path         string   `json:"path_and_query"`
		RequestJSON  string   `json:"request_json"`
		RequestBody  hexBytes `json:"request_body_hex"`
		ResponseJSON string   `json:"response_json"`
		ResponseBody hexBytes `json:"response_body_hex"`
	} `json:"exchanges"`
}

type vectorFile struct {
	AuthHashes []struct {
		Name     string   `json:"name"`
		Username string   `json:"username"`
		Password string   `json:"password"`
		V1       hexBytes `json:"klap_v1_auth_hash_hex"`
		V2       hexBytes `json:"klap_v2_auth_hash_hex"`
		Owner    string   `json:"discovery_owner"`
	} `json:"auth_hashes"`
	KLAP struct {
		Sessions  []vectorSession `json:"sessions"`
		BodyForms struct {
			Body48 hexBytes `json:"body_48_hex"`
			Body49 hexBytes `json:"body_49_hex"`
		} `json:"handshake1_body_forms"`
		Mismatch struct {
			Username       string   `json:"client_username"`
			Password       string   `json:"client_password"`
			DeviceUsername string   `json:"device_username"`
			LocalSeed      hexBytes `json:"local_seed_hex"`
			RemoteSeed     hexBytes `json:"remote_seed_hex"`
			Body           hexBytes `json:"handshake1_response_body_hex"`
		} `json:"hash_mismatch"`
		Detection struct {
			Username   string   `json:"username"`
			Password   string   `json:"password"`
			LocalSeed  hexBytes `json:"local_seed_hex"`
			RemoteSeed hexBytes `json:"remote_seed_hex"`
			V1         hexBytes `json:"v1_device_body_hex"`
			V2         hexBytes `json:"v2_device_body_hex"`
		} `json:"version_detection"`
		Boundaries struct {
			RequestJSON string `json:"request_json"`
			Frames      []struct {
				Seq  int32    `json:"seq"`
				IV   hexBytes `json:"iv_hex"`
				Body hexBytes `json:"body_hex"`
			} `json:"frames"`
		} `json:"sequence_boundaries"`
		BadResponses []struct {
			Name    string   `json:"name"`
			Body    hexBytes `json:"body_hex"`
			Session string   `json:"session"`
			Seq     int32    `json:"seq"`
		} `json:"bad_responses"`
		HTTP struct {
			SetCookie string `json:"handshake1_response_set_cookie"`
			Cookie    string `json:"cookie_header_to_send"`
			Lifetime  int    `json:"session_lifetime_seconds"`
		} `json:"http"`
	} `json:"klap"`
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

func (v vectorFile) session(t testing.TB, name string) vectorSession {
	t.Helper()
	for _, s := range v.KLAP.Sessions {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no session %q among the vectors", name)
	return vectorSession{}
}

func wantBytes(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if len(want) == 0 && what != "empty" {
		t.Fatalf("%s: the vector is empty", what)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n got %x\nwant %x", what, got, want)
	}
}

func TestAuthHashVectors(t *testing.T) {
	all := vectors(t).AuthHashes
	if len(all) != 11 {
		t.Fatalf("%d vectors, want 11", len(all))
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			wantBytes(t, "v1", V1.AuthHash(v.Username, v.Password), v.V1)
			wantBytes(t, "v2", V2.AuthHash(v.Username, v.Password), v.V2)
			owner := md5.Sum([]byte(v.Username))
			if got := strings.ToUpper(hex.EncodeToString(owner[:])); v.Owner != "" && got != v.Owner {
				t.Errorf("owner %s, want %s", got, v.Owner)
			}
		})
	}
}

func TestSessionVectors(t *testing.T) {
	all := vectors(t).KLAP.Sessions
	if len(all) != 6 {
		t.Fatalf("%d vectors, want 6", len(all))
	}
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			auth := s.Version.AuthHash(s.Username, s.Password)
			wantBytes(t, "auth hash", auth, s.AuthHash)
			wantBytes(t, "server hash", s.Version.ServerHash(s.LocalSeed, s.RemoteSeed, auth), s.ServerHash)
			wantBytes(t, "handshake2", s.Version.ClientHash(s.LocalSeed, s.RemoteSeed, auth), s.Handshake2Request)
			c := NewCipher(s.LocalSeed, s.RemoteSeed, auth)
			if c.InitialSeq() != s.InitialSeq {
				t.Errorf("initial seq %d, want %d", c.InitialSeq(), s.InitialSeq)
			}
			wantBytes(t, "sig", c.sig[:], s.SigKey)
			wantBytes(t, "IV prefix", c.ivPrefix[:], s.IVPrefix)
			for _, e := range s.Exchanges {
				wantBytes(t, e.Name+" request", c.Seal(e.Seq, []byte(e.RequestJSON)), e.RequestBody)
				wantBytes(t, e.Name+" response", c.Seal(e.Seq, []byte(e.ResponseJSON)), e.ResponseBody)
				plain, err := c.Open(e.Seq, e.ResponseBody, true)
				if err != nil || string(plain) != e.ResponseJSON {
					t.Errorf("%s: opened %q, %v, want %q", e.Name, plain, err, e.ResponseJSON)
				}
				if got := fmt.Sprintf("/app/request?seq=%d", e.Seq); got != e.Path {
					t.Errorf("%s: path %s, want %s", e.Name, got, e.Path)
				}
			}
		})
	}
}

func TestSequenceBoundaryVectors(t *testing.T) {
	v := vectors(t)
	s := v.session(t, "v2_positive_sequence")
	c := NewCipher(s.LocalSeed, s.RemoteSeed, s.AuthHash)
	if len(v.KLAP.Boundaries.Frames) != 4 {
		t.Fatalf("%d frames, want 4", len(v.KLAP.Boundaries.Frames))
	}
	for _, f := range v.KLAP.Boundaries.Frames {
		wantBytes(t, fmt.Sprint("IV ", f.Seq), c.iv(f.Seq), f.IV)
		wantBytes(t, fmt.Sprint("frame ", f.Seq), c.Seal(f.Seq, []byte(v.KLAP.Boundaries.RequestJSON)), f.Body)
	}
}

func TestBadResponseVectors(t *testing.T) {
	v := vectors(t)
	want := map[string]error{
		"signature_bit_flipped":         ErrSignature,
		"ciphertext_bit_flipped":        ErrSignature,
		"truncated":                     ErrFrame,
		"signature_only":                ErrFrame,
		"empty":                         ErrFrame,
		"encrypted_with_other_sequence": ErrSignature,
	}
	if len(v.KLAP.BadResponses) != len(want) {
		t.Fatalf("%d vectors, want %d", len(v.KLAP.BadResponses), len(want))
	}
	for _, b := range v.KLAP.BadResponses {
		t.Run(b.Name, func(t *testing.T) {
			s := v.session(t, b.Session)
			_, err := NewCipher(s.LocalSeed, s.RemoteSeed, s.AuthHash).Open(b.Seq, b.Body, true)
			if !errors.Is(err, want[b.Name]) {
				t.Errorf("got %v, want %v", err, want[b.Name])
			}
		})
	}
}

func TestCookieVector(t *testing.T) {
	v := vectors(t).KLAP.HTTP
	id, lifetime, ok := httpwire.Reply{Header: http.Header{"Set-Cookie": {v.SetCookie}}}.Session()
	if !ok || "TP_SESSIONID="+id != v.Cookie || lifetime != time.Duration(v.Lifetime)*time.Second {
		t.Errorf("got %q, %v, %t", id, lifetime, ok)
	}
}

func TestOpenWithoutVerification(t *testing.T) {
	c := NewCipher(make([]byte, 16), make([]byte, 16), make([]byte, 32))
	frame := c.Seal(7, []byte(`{}`))
	frame[0] ^= 1
	if plain, err := c.Open(7, frame, false); err != nil || string(plain) != `{}` {
		t.Errorf("got %q, %v", plain, err)
	}
}

func FuzzOpen(f *testing.F) {
	v := vectors(f)
	s := v.session(f, "v2_positive_sequence")
	c := NewCipher(s.LocalSeed, s.RemoteSeed, s.AuthHash)
	for _, b := range v.KLAP.BadResponses {
		f.Add(b.Seq, []byte(b.Body), true)
		f.Add(b.Seq, []byte(b.Body), false)
	}
	for _, e := range s.Exchanges {
		f.Add(e.Seq, []byte(e.ResponseBody), true)
	}
	f.Fuzz(func(t *testing.T, seq int32, frame []byte, verify bool) {
		plain, err := c.Open(seq, bytes.Clone(frame), verify)
		if err == nil && verify && !bytes.Equal(c.Seal(seq, plain), frame) {
			t.Errorf("opened a frame that is not the seal of its content")
		}
	})
}
