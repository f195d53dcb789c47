// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/smart"
)

// TestRestBegins after a login of which nothing came but replies that cannot be used.
func TestRestBegins(t *testing.T) {
	now := time.Now()
	lost := fmt.Errorf("request: %w", plugerr.ErrSessionLost)
	for _, tc := range []struct {
		name   string
		login  bool // in this conversation
		before error
		err    error
		want   time.Duration
	}{
		{"a damaged reply", true, io.EOF, plugerr.ErrBadReply, time.Minute},
		{"a dialect that is not supported", true, io.EOF, &failure{reason: Unsupported}, time.Minute},
		{"no history", true, io.EOF, &smart.HistoryError{Kind: ErrNoHistory}, 0},
		{"another plug", true, io.EOF, &failure{reason: NotAPlug}, 0},
		{"no connection", true, io.EOF, io.EOF, 0},
		{"an HTTP status", true, io.EOF, &httpwire.StatusError{Status: 500}, time.Minute},
		{"too many requests", true, io.EOF, &httpwire.StatusError{Status: 429}, 0},
		{"the session is lost again", true, io.EOF, lost, time.Minute},
		{"no login", false, io.EOF, plugerr.ErrBadReply, 0},
		{"a good read since", false, nil, plugerr.ErrBadReply, 0},
	} {
		var r rest
		r.loggedIn()
		r.ended(tc.before, now)
		r.logins = 0
		if tc.login {
			r.loggedIn()
		}
		r.ended(tc.err, now)
		want := time.Time{}
		if tc.want > 0 {
			want = now.Add(tc.want)
		}
		if got := r.until(now); !got.Equal(want) {
			t.Errorf("%s: until %v, want %v", tc.name, got, want)
		}
	}
}
