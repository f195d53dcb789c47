// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestCredentials(t *testing.T) {
	v := load(t)
	for _, c := range v.Credentials {
		got, err := v.account().Credential(c.ExtraCrypt)
		if strings.Contains(string(c.ExtraCrypt), "password_authkey") {
			if _, ok := errors.AsType[*UnsupportedError](err); !ok {
				t.Errorf("%s: %q, %v, want a refusal", c.Name, got.Text, err)
			}
			continue
		}
		if c.PasscodeType == DefaultPasscode {
			got, err = v.account().DefaultCredential()
		}
		if err != nil || got.Text != c.Credential {
			t.Errorf("%s: %q, %v, want %q", c.Name, got.Text, err, c.Credential)
		}
		if want := c.Name == "none" || c.Name == "sha1mac"; got.Username != want {
			t.Errorf("%s: uses the e-mail: %t", c.Name, got.Username)
		}
		if want := c.Name != "default_passcode" && c.Name != "sha1mac"; got.Password != want {
			t.Errorf("%s: uses the password: %t", c.Name, got.Password)
		}
	}
}

// TestCredentialSpellings has the forms that mean the same, and those that
// mean nothing and must not cost an attempt.
func TestCredentialSpellings(t *testing.T) {
	v := load(t)
	want := map[string]string{}
	for _, c := range v.Credentials {
		want[c.Name] = c.Credential
	}
	const shadow = `{"type":"password_shadow","params":`
	for extra, name := range map[string]string{
		``:                            "none",
		shadow + `{"passwd_id":"2"}}`: "sha1",
		shadow + `{"passwd_id":"1","passwd_prefix":"$1$Zx81pQ2r"}}`:                                       "md5crypt",
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$n4vAaM3cBqk0Zr9T$"}}`:                                "sha256crypt",
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$rounds=1234$n4vAaM3cBqk0Zr9T$"}}`:                    "sha256crypt_1234",
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$rounds=999$n4vAaM3cBqk0Zr9T","passwd_rounds":1234}}`: "sha256crypt_1234",
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$n4vAaM3cBqk0Zr9T$","passwd_rounds":"1234"}}`:         "sha256crypt_1234",
		`{"type":"password_sha_with_salt","params":{"sha_name":"0","sha_salt":"cGVwcGVyLTE"}}`:            "shasalt",
	} {
		got, err := v.account().Credential(json.RawMessage(extra))
		if err != nil || got.Text != want[name] {
			t.Errorf("%s: %q, %v", extra, got.Text, err)
		}
	}
	for _, extra := range []string{
		`"password_shadow"`, `[]`, `{}`, `{"type":"password_rot13"}`,
		shadow + `{}}`, shadow + `{"passwd_id":4}}`, shadow + `{"passwd_id":[2]}}`, shadow + `2}`,
		shadow + `{"passwd_id":1}}`, shadow + `{"passwd_id":1,"passwd_prefix":"$5$abc$"}}`,
		shadow + `{"passwd_id":5,"passwd_prefix":"$1$abc$"}}`,
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$abc$","passwd_rounds":999999999}}`,
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$rounds=many$abc$"}}`,
		`{"type":"password_authkey","params":{"authkey_tmpkey":"abc"}}`,
		`{"type":"password_authkey","params":{"authkey_tmpkey":"","authkey_dictionary":"0"}}`,
		`{"type":"password_authkey","params":{"authkey_tmpkey":"kf8aJw0sPq","authkey_dictionary":"0123456789abcdef"}}`,
		`{"type":"password_sha_with_salt","params":{"sha_salt":"cGVwcGVyLTE="}}`,
		`{"type":"password_sha_with_salt","params":{"sha_name":0,"sha_salt":"!"}}`,
	} {
		got, err := v.account().Credential(json.RawMessage(extra))
		if _, ok := errors.AsType[*UnsupportedError](err); !ok {
			t.Errorf("%s: %q, %v", extra, got.Text, err)
		}
	}
	none := Account{Username: "u", Password: "p"}
	if _, err := none.Credential(json.RawMessage(shadow + `{"passwd_id":3}}`)); err == nil {
		t.Error("passwd_id 3 without a MAC: no error")
	}
	if _, err := none.DefaultCredential(); err == nil {
		t.Error("a default passcode without a MAC: no error")
	}
	if got, err := (Account{Password: "p"}).Credential(nil); err != nil || got.Text != "p" {
		t.Errorf("without an e-mail: %q, %v", got.Text, err)
	}
}

// TestCredentialsTellPasswordsApart: whatever a plug sends, passwords that differ in one
// character have different credentials, so that a login proves the whole password and
// reveals no part of it.
func TestCredentialsTellPasswordsApart(t *testing.T) {
	extras := []string{
		``, `null`, `{"type":"password_sha_with_salt","params":{"sha_name":0,"sha_salt":""}}`, `{"type":"password_sha_with_salt","params":{"sha_name":7,"sha_salt":"` + strings.Repeat("AAAA", 1000) + `"}}`,
		`{"type":"password_authkey","params":{"authkey_tmpkey":"","authkey_dictionary":"01"}}`,
	}
	for _, salt := range []string{"", "$", "a", "$$", strings.Repeat("x", 1000), "rounds=0$", "rounds=1$a", "\u0000"} {
		extras = append(extras,
			fmt.Sprintf(`{"type":"password_shadow","params":{"passwd_id":1,"passwd_prefix":"$1$%s"}}`, salt),
			fmt.Sprintf(`{"type":"password_shadow","params":{"passwd_id":2,"passwd_prefix":"%s"}}`, salt),
			fmt.Sprintf(`{"type":"password_shadow","params":{"passwd_id":5,"passwd_prefix":"$5$%s","passwd_rounds":0}}`, salt))
	}
	random := rand.New(rand.NewPCG(1, 2))
	admitted := 0
	for _, extra := range extras {
		for range 5 {
			password := make([]rune, 1+random.IntN(40))
			for i := range password {
				password[i] = rune(' ' + random.IntN(0x100))
			}
			one := string(password)
			password[random.IntN(len(password))] ^= 1
			a, err := (Account{Username: "u@example.com", Password: one, MAC: "AABBCC001122"}).Credential(json.RawMessage(extra))
			if err != nil {
				continue
			}
			admitted++
			b, err := (Account{Username: "u@example.com", Password: string(password), MAC: "AABBCC001122"}).Credential(json.RawMessage(extra))
			if err != nil || a.Text == b.Text {
				t.Errorf("%.80s: %q and %q have the same credential, %v", extra, one, string(password), err)
			}
		}
	}
	if admitted < len(extras)*3 {
		t.Errorf("%d credentials of %d formulas: this test looks at nothing", admitted, len(extras))
	}
}
