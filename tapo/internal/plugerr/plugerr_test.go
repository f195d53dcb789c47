// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package plugerr

import (
	"errors"
	"fmt"
	"testing"
)

func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]error{
		"get_x: error_code -1002 (UNKNOWN_METHOD)":                  &CodeError{Step: "get_x", Code: CodeUnknownMethod},
		"get_x: error_code 4711 (unknown to this program)":          &CodeError{Step: "get_x", Code: 4711},
		"login: error_code -1501 (LOGIN: wrong e-mail or password)": &CodeError{Step: "login", Code: CodeLogin},
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}

func TestUnanswered(t *testing.T) {
	err := fmt.Errorf("request: %w", Unanswered(ErrReplyTimeout))
	if !IsUnanswered(err) || !errors.Is(err, ErrReplyTimeout) {
		t.Errorf("%v lost its mark or its cause", err)
	}
	if IsUnanswered(ErrReplyTimeout) || IsUnanswered(nil) {
		t.Error("marked without having been")
	}
}

func TestNotAReply(t *testing.T) {
	err := fmt.Errorf("request: %w", NotAReply(ErrBadReply))
	if !IsNotAReply(err) || !errors.Is(err, ErrBadReply) || err.Error() != "request: bad reply" {
		t.Errorf("%v lost its mark or its cause", err)
	}
	if IsNotAReply(ErrBadReply) || IsNotAReply(nil) {
		t.Error("marked without having been")
	}
}
