// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package safetext makes texts of strangers safe to show. Plugs, hosts that pose as plugs
// and HTTP clients choose names and parts of error messages. Some characters in them
// change what a terminal, a page or a log shows around them.
package safetext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean returns s on one line: control characters, also those from U+0080 to U+009F,
// bidirectional controls, line separators and invalid UTF-8 become U+FFFD. Letters of all
// scripts and emoji stay as they are.
func Clean(s string) string { return strings.Map(replace, s) }

// CleanLines is [Clean] for a text of several lines: line feeds and tabs stay.
func CleanLines(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return replace(r)
	}, s)
}

func replace(r rune) rune {
	plain := ' ' <= r && r <= '~' // most of a page: looking them up takes longer
	if !plain && unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
		return utf8.RuneError
	}
	return r
}

// Bound returns the beginning of s, at most n bytes long. It cuts no character in two.
func Bound(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
