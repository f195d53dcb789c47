// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package lenient decodes JSON that plugs spell in several ways. Firmware
// differs in what it sends: a number may be a string, a flag may be a number,
// and a member may be missing, null or of a type that makes no sense. None of
// that fails here; such a member is simply not valid.
package lenient

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"
)

// Unmarshal decodes what fits, and leaves members of another type empty. It
// reports whether data is JSON at all.
func Unmarshal(data []byte, into any) bool {
	err := json.Unmarshal(data, into)
	_, mistyped := errors.AsType[*json.UnmarshalTypeError](err)
	return err == nil || mistyped
}

// Number is a JSON number, or a string that holds one.
type Number struct {
	Value float64
	Valid bool
}

// UnmarshalJSON implements [json.Unmarshaler]; it never fails.
func (n *Number) UnmarshalJSON(data []byte) error {
	*n = Number{}
	if v, ok := smallInt(data); ok {
		*n = Number{v, true}
		return nil
	}
	v, err := strconv.ParseFloat(unquote(data), 64)
	if err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
		*n = Number{v, true}
	}
	return nil
}

// smallInt parses what nearly all of a plug's numbers are, without allocating.
func smallInt(data []byte) (v float64, ok bool) {
	digits := bytes.TrimPrefix(data, []byte("-"))
	if len(digits) == 0 || len(digits) > 15 { // more may not be exact
		return 0, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		v = 10*v + float64(d-'0')
	}
	if len(digits) < len(data) {
		v = -v
	}
	return v, true
}

// Flag is a JSON boolean, or 0 or 1, or a string that holds one of them.
type Flag struct {
	Value bool
	Valid bool
}

// UnmarshalJSON implements [json.Unmarshaler]; it never fails.
func (f *Flag) UnmarshalJSON(data []byte) error {
	switch text := bytes.Trim(data, `"`); {
	case bytes.EqualFold(text, []byte("true")), string(text) == "1":
		*f = Flag{true, true}
	case bytes.EqualFold(text, []byte("false")), string(text) == "0":
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
// not occur in numbers.
func unquote(data []byte) string {
	return string(bytes.TrimSpace(bytes.Trim(data, `"`)))
}

// Envelope is the outermost JSON object of a reply. A missing error_code counts
// as 0 if there is a result.
type Envelope struct {
	ErrorCode Number          `json:"error_code"`
	Result    json.RawMessage `json:"result"`
}

// Decode parses data as an envelope. ok is false when data is no JSON object
// with an error code or a result.
func Decode(data []byte) (e Envelope, ok bool) {
	if json.Unmarshal(data, &e) != nil {
		return Envelope{}, false
	}
	if string(e.Result) == "null" {
		e.Result = nil
	}
	return e, e.ErrorCode.Valid || e.Result != nil
}

// Code returns the error code; 0 is success.
func (e Envelope) Code() int { return int(e.ErrorCode.Value) }
