// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The types below decode one member of a plug's JSON. Firmware differs in what
// it sends, so none of them ever fails: a member that is missing, null or of a
// type that makes no sense is simply not valid.

// Number is a JSON number, or a string that holds one.
type Number struct {
	Value float64
	Valid bool
}

// UnmarshalJSON implements [json.Unmarshaler]; it never fails.
func (n *Number) UnmarshalJSON(data []byte) error {
	*n = Number{}
	v, err := strconv.ParseFloat(unquote(data), 64)
	if err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
		*n = Number{v, true}
	}
	return nil
}

// Flag is a JSON boolean, or 0 or 1, or a string that holds one of them.
type Flag struct {
	Value bool
	Valid bool
}

// UnmarshalJSON implements [json.Unmarshaler]; it never fails.
func (f *Flag) UnmarshalJSON(data []byte) error {
	switch strings.ToLower(unquote(data)) {
	case "true", "1":
		*f = Flag{true, true}
	case "false", "0":
		*f = Flag{false, true}
	default:
		*f = Flag{}
	}
	return nil
}

// Text is a JSON string; anything else is "". It is always valid UTF-8.
type Text string

// UnmarshalJSON implements [json.Unmarshaler]; it never fails.
func (t *Text) UnmarshalJSON(data []byte) error {
	*t = ""
	if len(data) < 2 || data[0] != '"' {
		return nil
	}
	if plain := data[1 : len(data)-1]; bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
		*t = Text(plain)
		return nil
	}
	var s string
	if json.Unmarshal(data, &s) == nil {
		*t = Text(s)
	}
	return nil
}

// unquote strips the quotes and the blanks of a plain JSON string. Escapes do
// not occur in numbers and booleans.
func unquote(data []byte) string {
	return string(bytes.TrimSpace(bytes.Trim(data, `"`)))
}
