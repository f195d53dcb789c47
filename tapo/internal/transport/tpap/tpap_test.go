// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// vectors is testdata/vectors.json. What is inside SPAKE2+ is checked in its
// own package.
type vectors struct {
	Inputs struct {
		Username   string
		Password   string
		MAC        string
		UserRandom hexBytes `json:"user_random"`
		DevRandom  hexBytes `json:"dev_random"`
	}
	Handshakes []struct {
		Name       string
		DevSalt    hexBytes `json:"dev_salt"`
		Iterations int
		Credential string
		PBKDF2     hexBytes
		W0         hexBytes
		Context    hexBytes
		Y          hexBytes
		SharedKey  hexBytes
		Key        hexBytes
		BaseNonce  hexBytes `json:"base_nonce"`
	}
	Frames []struct {
		Handshake string
		Seq       int64
		Text      string
		Body      hexBytes
	}
	Credentials []struct {
		Name         string
		PasscodeType PasscodeType    `json:"passcode_type"`
		ExtraCrypt   json.RawMessage `json:"extra_crypt"`
		Credential   string          `json:"credential_text"`
	}
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func load(t testing.TB) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Handshakes) != 3 || len(v.Frames) != 5 || len(v.Credentials) != 9 {
		t.Fatalf("%d logins, %d frames, %d credentials", len(v.Handshakes), len(v.Frames), len(v.Credentials))
	}
	return v
}

func (v vectors) account() Account {
	return Account{Username: v.Inputs.Username, Password: v.Inputs.Password, MAC: strings.ReplaceAll(v.Inputs.MAC, ":", "")}
}

// TestAnnouncedPort: a forged announcement does not lead to another service.
func TestAnnouncedPort(t *testing.T) {
	for port, want := range map[int]bool{0: true, 1: false, 22: false, 25: false, 79: false, 80: true, 81: false, 443: true, 445: false, 1023: false, 1024: true, 4433: true, 65535: true} {
		a, err := parseAnnouncement(fmt.Appendf(nil, `{"pake":[2],"port":%d}`, port), "")
		_, unsupported := errors.AsType[*UnsupportedError](err)
		if want != (err == nil) || want == unsupported || want && a.Port != port {
			t.Errorf("%d: %+v, %v", port, a, err)
		}
	}
}

func TestUsername(t *testing.T) {
	for kind, want := range map[int]string{
		0: "21232f297a57a5a743894a0e4a801fc3",
		1: "8C6976E5B5410415BDE908BD4DEE15DFB167A9C873FC4BB8A81F6F2AB448A918",
		2: "",
	} {
		got, err := Announcement{UserHashType: kind}.Username()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%d: %q, %v", kind, got, err)
		}
	}
}

func TestPasscodeType(t *testing.T) {
	for _, tc := range []struct {
		pake []int
		want PasscodeType
	}{
		{[]int{2}, UserPassword},
		{[]int{5}, UserPassword},
		{[]int{2, 3}, UserPassword},
		{[]int{0}, DefaultPasscode},
		{[]int{0, 2}, ""},
		{[]int{1}, ""},
		{[]int{3}, ""},
		{nil, ""},
	} {
		got, err := Announcement{Pake: tc.pake}.PasscodeType()
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%v: %q, %v", tc.pake, got, err)
		}
	}
}
