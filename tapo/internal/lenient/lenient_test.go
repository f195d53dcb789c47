// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lenient

import (
	"encoding/json"
	"testing"
)

func TestUnmarshal(t *testing.T) {
	for text, want := range map[string]struct {
		member string
		ok     bool
	}{
		`{"member":"x"}`:            {"x", true},
		`{"member":["x"]}`:          {"", true},
		`{"other":1,"member":"x"}`:  {"x", true},
		`[]`:                        {"", true},
		`null`:                      {"", true},
		`{"member":"x"`:             {"", false},
		`{"member":["x"]} trailing`: {"", false},
		``:                          {"", false},
	} {
		var got struct {
			Member string `json:"member"`
		}
		if ok := Unmarshal([]byte(text), &got); ok != want.ok || got.Member != want.member {
			t.Errorf("%s: %q, %t", text, got.Member, ok)
		}
	}
}

func TestDecode(t *testing.T) {
	for text, want := range map[string]struct {
		code int
		ok   bool
	}{
		`{"error_code":1003}`:                  {1003, true},
		`{"error_code":"-1501"}`:               {-1501, true},
		`{"error_code":0,"result":{}}`:         {0, true},
		`{"result":{"a":1}}`:                   {0, true},
		`{"result":null}`:                      {0, false},
		`{"error_code":null}`:                  {0, false},
		`{}`:                                   {0, false},
		`[]`:                                   {0, false},
		`null`:                                 {0, false},
		``:                                     {0, false},
		`<html></html>`:                        {0, false},
		`{"error_code":1003`:                   {0, false},
		`{"error_code":-40401,"result":[1,2]}`: {-40401, true},
	} {
		env, ok := Decode([]byte(text))
		if ok != want.ok || ok && env.Code() != want.code {
			t.Errorf("%s: code %d, %t", text, env.Code(), ok)
		}
	}
}

func TestLenientMembers(t *testing.T) {
	type members struct {
		N Number `json:"n"`
		F Flag   `json:"f"`
		T Text   `json:"t"`
	}
	for text, want := range map[string]members{
		`{}`:                                   {},
		`{"n":null,"f":null,"t":null}`:         {},
		`{"n":1.5,"f":true,"t":"x"}`:           {Number{1.5, true}, Flag{true, true}, "x"},
		`{"n":"-7","f":"false","t":5}`:         {Number{-7, true}, Flag{false, true}, ""},
		`{"n":" 8 ","f":0}`:                    {N: Number{8, true}, F: Flag{false, true}},
		`{"n":true,"f":2,"t":["x"]}`:           {},
		`{"n":{"a":1},"f":"maybe","t":{}}`:     {},
		`{"n":1e999,"f":1,"t":"\u00fc\n"}`:     {F: Flag{true, true}, T: "ü\n"},
		`{"n":"NaN","f":"1"}`:                  {F: Flag{true, true}},
		`{"n":"","t":"ü"}`:                     {T: "ü"},
		"{\"t\":\"\xff\"}":                     {T: "\uFFFD"},
		`{"n":123456789012345678901234567890}`: {N: Number{123456789012345678901234567890, true}},
	} {
		var got members
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"error_code":0,"result":{}}`, `{"error_code":"x"}`, `{`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if env, ok := Decode(data); ok && !env.ErrorCode.Valid && len(env.Result) == 0 {
			t.Error("an envelope of nothing")
		}
	})
}
