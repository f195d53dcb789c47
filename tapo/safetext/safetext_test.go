// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package safetext

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"Küche, מטבח, 廚房, 👩‍👩‍👧, 🏴󠁧󠁢󠁥󠁮󠁧󠁿": "Küche, מטבח, 廚房, 👩‍👩‍👧, 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
		"a\x1b[2J\r\n\tb\x7f":     "a�[2J���b�",
		"a\u009b31mc\u0080\u0085": "a�31mc��",
		"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c": "������������",
		"a\u2028b\u2029c": "a�b�c",
		"a\x9bb\xff":      "a�b�",
	} {
		if got := Clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := CleanLines("a\n\tb\r\u009bc"); got != "a\n\tb��c" {
		t.Errorf("lines: %q", got)
	}
}

func TestBound(t *testing.T) {
	for _, tc := range []struct {
		in   string
		n    int
		want string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "abc"}, {"aéé", 3, "aé"}, {"aéé", 4, "aé"}, {"💡", 3, ""}, {"abc", 0, ""}, {"\x80\x80", 1, ""},
	} {
		if got := Bound(tc.in, tc.n); got != tc.want {
			t.Errorf("%q to %d bytes: %q, want %q", tc.in, tc.n, got, tc.want)
		}
	}
	long := strings.Repeat("é💡", 50_000)
	if got := Bound(long, 256); !utf8.ValidString(got) || len(got) < 253 || len(got) > 256 {
		t.Errorf("%d bytes", len(got))
	}
}
