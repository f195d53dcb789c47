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
		derived, err := v.account().Credential(c.ExtraCrypt)
		got := derived.Text
		switch {
		case strings.Contains(string(c.ExtraCrypt), "password_authkey"):
			if _, ok := errors.AsType[*UnsupportedError](err); !ok {
				t.Errorf("%s: %q, %v, want a refusal", c.Name, got, err)
			}
			continue
		case c.PasscodeType == DefaultPasscode:
			got, err = v.account().DefaultCredential()
		case c.Name == "sha1mac":
			if !errors.Is(err, ErrPasswordUnused) || got != "" {
				t.Errorf("%s: %q, %v, want a refusal", c.Name, got, err)
			}
			got, err = v.account().StaleCredential()
		}
		if err != nil || got != c.Credential {
			t.Errorf("%s: %q, %v, want %q", c.Name, got, err, c.Credential)
		}
		if want := c.Name == "none"; derived.Username != want && c.PasscodeType != DefaultPasscode {
			t.Errorf("%s: uses the e-mail: %t", c.Name, derived.Username)
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
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$rounds=999999999$abc$"}}`,
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$abc$","passwd_rounds":-1}}`,
		// Salts that crypt(3) does not make.
		shadow + `{"passwd_id":1,"passwd_prefix":"$1$"}}`, shadow + `{"passwd_id":1,"passwd_prefix":"$1$$"}}`,
		shadow + `{"passwd_id":1,"passwd_prefix":"$1$ninechars$"}}`, shadow + `{"passwd_id":1,"passwd_prefix":"$1$a b$"}}`,
		shadow + `{"passwd_id":1,"passwd_prefix":"$1$abc$\n"}}`, shadow + `{"passwd_id":1,"passwd_prefix":"$1$abc$$"}}`,
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$"}}`, shadow + `{"passwd_id":5,"passwd_prefix":"$5$seventeen.letters$"}}`,
		shadow + `{"passwd_id":5,"passwd_prefix":"$5$abc$hash"}}`, shadow + `{"passwd_id":5,"passwd_prefix":"$5$rounds=1000$"}}`,
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
	if _, err := none.StaleCredential(); err == nil {
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
	for _, salt := range []string{"", "$", "a", "a$", "$$", "abcdefgh", "abcdefghi", strings.Repeat("x", 16), strings.Repeat("x", 1000), "rounds=0$", "rounds=1$a", "\u0000"} {
		extras = append(extras,
			fmt.Sprintf(`{"type":"password_authkey","params":{"authkey_tmpkey":"%s","authkey_dictionary":"%[1]s"}}`, salt),
			fmt.Sprintf(`{"type":"password_shadow","params":{"passwd_id":3,"passwd_prefix":"%s"}}`, salt),
			fmt.Sprintf(`{"type":"password_shadow","params":{"passwd_id":1,"passwd_prefix":"$1$%s"}}`, salt),
			fmt.Sprintf(`{"type":"password_shadow","params":{"passwd_id":2,"passwd_prefix":"%s"}}`, salt),
			fmt.Sprintf(`{"type":"password_shadow","params":{"passwd_id":5,"passwd_prefix":"$5$%s","passwd_rounds":0}}`, salt))
	}
	random := rand.New(rand.NewPCG(1, 2))
	admitted := map[string]int{`{"type":"password_sha_with_salt"`: 0, `{"type":"password_shadow","params":{"passwd_id":1`: 0, `{"type":"password_shadow","params":{"passwd_id":2`: 0, `{"type":"password_shadow","params":{"passwd_id":5`: 0}
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
			for scheme := range admitted {
				if strings.HasPrefix(extra, scheme) {
					admitted[scheme]++
				}
			}
			b, err := (Account{Username: "u@example.com", Password: string(password), MAC: "AABBCC001122"}).Credential(json.RawMessage(extra))
			if err != nil || a.Text == b.Text {
				t.Errorf("%.80s: %q and %q have the same credential, %v", extra, one, string(password), err)
			}
		}
	}
	for scheme, n := range admitted {
		if n < 5 {
			t.Errorf("%d credentials of %s: this test looks at nothing", n, scheme)
		}
	}
}
