// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"
	"testing"
)

// marker stands for a credential. No error may repeat it.
const marker = "hunter2"

// oddForms are values with the marker. Most are mistakes.
var oddForms = []string{
	"V", "'V'", `"V"`, "V #V", "V: V", "V, V", "V, V, V", "a V", "|", "| V", "> V", "? V", "- V", "@V", "`V`", "%V", "!V", "!V V", "!V! V", "! V",
	"!!int V", "!!float V", "!!bool V", "!!null V", "!!timestamp V", "!!binary V", "!!seq V", "!!map V", "!!str V", "!!merge V", "!!V V", "!<V> V",
	"!!int 'V'", "!!int [V]", "!!map {V: V}", "!custom V", "!custom {V: V}", "!custom [V]",
	"&V", "&V V", "&V [*V]", "&V {a: *V}", "&a [*a, V]", "*V", "* V", "[V]", "[[V]]", "[V", "{V: V}", "{V}", "{V", "{? [V] : V}", "{? {V: V} : V}", "{<<: V}", "{<<: [V]}", "{!!int V: V}",
	`"\xV"`, `"\V"`, `"V`, "'V", "V'", "'V' V", "'V', V", `V\`, "\tV", "V\t: V", "V:", "V}", "V]", "}V", "]V", ",V", ", V", ": V", "=V", "~V", "<<", "${V}a", "a${V}", "${V", "$${V}", "${A}${V}",
}

// TestErrorsHideCredentials puts the marker into every field of an account in every odd
// form, alone and beside other mistakes.
func TestErrorsHideCredentials(t *testing.T) {
	failed := 0
	for _, form := range oddForms {
		form = strings.ReplaceAll(form, "V", marker)
		for _, key := range []string{"username", "password"} {
			other := map[string]string{"username": "password: p", "password": "username: u"}[key]
			for _, layout := range []string{
				"auths:\n  home:\n    %[1]s\n    %[2]s: %[3]s\n",
				"auths:\n  home:\n    %[2]s: %[3]s\n    %[1]s\n",
				"auths: {home: {%[1]s, %[2]s: %[3]s}}",
				"auths: {home: {%[2]s: %[3]s, %[1]s}}",
				"auths: {home: {%[1]s, %[2]s: %[3]s, %[2]s: %[3]s}}",
				"auths:\n  home:\n    %[1]s\n    %[2]s: %[3]s\n    %[2]s: %[3]s\n",
				"auths:\n  home:\n    %[1]s\n    %[2]s: %[3]s\n    password_file: [1]\n    username: {}\n",
				"auths:\n  home: &a\n    %[1]s\n    %[2]s: %[3]s\n  office:\n    <<: *a\n    username: []\n",
				"auths:\n  home:\n    %[1]s\n    %[2]s:%[3]s\n",
				"auths: {home: {%[1]s, %[2]s:%[3]s}}",
			} {
				text := fmt.Sprintf(layout, other, key, form)
				_, err := parse([]byte(text), t.TempDir(), env{"A": marker}.lookup)
				if err == nil {
					continue
				}
				failed++
				if strings.Contains(err.Error(), marker) {
					t.Errorf("%s\n%v", text, err)
				}
			}
		}
	}
	if failed < 500 {
		t.Errorf("only %d errors", failed)
	}
}

// TestErrorsHideVariables: a variable may hold the password where it should be a path.
func TestErrorsHideVariables(t *testing.T) {
	dir := t.TempDir()
	for _, account := range []string{"username: u, password_file: '${A}'", "username: u, password_file: 'x/${A}'", "username: '${A}'", "password: '${A}'", "username: u, password: '${A}', password_file: '${A}'"} {
		if _, err := parse([]byte("auths: {home: {"+account+"}}"), dir, env{"A": marker}.lookup); err == nil || strings.Contains(err.Error(), marker) {
			t.Errorf("%s: %v", account, err)
		}
	}
	if _, err := parse(nil, dir, env{envUsername: "u", envPasswordFile: marker}.lookup); err == nil || strings.Contains(err.Error(), marker) {
		t.Error(err)
	}
}

func FuzzErrorsHideCredentials(f *testing.F) {
	for _, form := range oddForms {
		f.Add(strings.ReplaceAll(form, "V", marker))
	}
	f.Fuzz(func(t *testing.T, form string) {
		if strings.ContainsAny(form, "\r\n\u0085\u2028\u2029") || strings.Contains(form, "${"+marker+"}") { // the next line is no credential
			return
		}
		_, err := parse([]byte("auths:\n  home:\n    username: u\n    password: "+form), t.TempDir(), env{"A": marker}.lookup)
		if err != nil && strings.Contains(err.Error(), marker) {
			t.Error(err)
		}
	})
}
