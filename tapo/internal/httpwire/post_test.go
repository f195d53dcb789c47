// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package httpwire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/budget"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
)

// answering returns a client of somebody who answers every request with some
// bytes, and closes the connection.
func answering(t *testing.T, raw []byte) *Client {
	t.Helper()
	c := NewClient(Options{
		Address: "192.0.2.1:80", Logger: slog.New(slog.DiscardHandler),
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				if _, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil {
					_, _ = theirs.Write(raw)
				}
			}()
			return ours, nil
		},
	})
	t.Cleanup(c.Close)
	return c
}

// FuzzPost feeds anything to the reader of HTTP and of cookies.
func FuzzPost(f *testing.F) {
	for _, raw := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: TP_SESSIONID=ABC;TIMEOUT=86400\r\n\r\nok",
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"SSH-2.0-OpenSSH_9.9\r\n",
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := answering(t, raw)
		c.opts.Budget.Begin(4)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		reply, err := c.Post(ctx, Request{Step: "step", Path: "/"})
		if sent := sent(c); sent < 1 || sent > 2 {
			t.Errorf("%d requests", sent)
		}
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, plugerr.ErrReplyTimeout) {
			t.Errorf("a connection that was closed is waited for: %v", err)
		}
		if len(reply.Body) > MaxReply {
			t.Errorf("%d bytes", len(reply.Body))
		}
		if id, lifetime, ok := reply.Session(); ok && (id == "" || lifetime <= 0) {
			t.Errorf("session %q for %v", id, lifetime)
		}
	})
}

// TestPostBoundsHeads: neither is a long head read, nor does an error quote it.
func TestPostBoundsHeads(t *testing.T) {
	for name, raw := range map[string]string{
		"long first line": strings.Repeat("x", 250<<10) + "\r\n",
		"long header":     "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 250<<10) + "\r\nContent-Length: 0\r\n\r\n",
		"no HTTP":         strings.Repeat("x", 10<<10) + "\r\n\r\n",
	} {
		c := answering(t, []byte(raw))
		if reply, err := post(t, c, time.Second); err == nil || len(err.Error()) > 200 {
			t.Errorf("%s: %d, %.300v", name, reply.Status, err)
		}
	}
}

// TestPostSkipsInterimReplies: RFC 9112 wants 1xx to be skipped.
func TestPostSkipsInterimReplies(t *testing.T) {
	c := answering(t, []byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	if reply, err := post(t, c, time.Second); err != nil || reply.Status != 200 || string(reply.Body) != "ok" {
		t.Errorf("%+v, %v", reply, err)
	}
}

// TestPostAsksAgainInTime: half of the time is left for another try, but for
// requests that must not be sent again.
func TestPostAsksAgainInTime(t *testing.T) {
	for _, tc := range []struct {
		name string
		r    Request
		hits int32
		want error
		took time.Duration
	}{
		{"again", Request{Step: "step", Path: "/"}, 2, nil, 2 * time.Second},
		{"once", Request{Step: "step", Path: "/", Once: true}, 1, plugerr.ErrReplyTimeout, 2 * time.Second},
		{"once, patient", Request{Step: "step", Path: "/", Once: true, Patient: true}, 1, os.ErrDeadlineExceeded, 2500 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var hits atomic.Int32
			c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				if hits.Add(1) == 1 {
					_, _ = io.Copy(io.Discard, r.Body) // so that the end of the connection is noticed
					<-r.Context().Done()
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := c.Post(ctx, tc.r)
			if errors.Is(err, context.DeadlineExceeded) { // the context's clock may strike first
				err = os.ErrDeadlineExceeded
			}
			if !errors.Is(err, tc.want) || hits.Load() != tc.hits || time.Since(start) < tc.took {
				t.Errorf("%v after %v and %d requests", err, time.Since(start), hits.Load())
			}
		})
	}
}

// TestPostIsBounded counts what is sent, on connections that die as well.
func TestPostIsBounded(t *testing.T) {
	var hits atomic.Int32
	c := serve(t, func(http.ResponseWriter, *http.Request) {
		if hits.Add(1) > 2 {
			panic(http.ErrAbortHandler)
		}
	})
	c.opts.Budget.Begin(5)
	for i, want := range []error{nil, nil, ErrNoReply, budget.ErrSpent, budget.ErrSpent} { // the third is sent three times
		if _, err := post(t, c, time.Second); !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", i, err, want)
		}
	}
	if hits.Load() != 5 || c.opts.Budget.Left() != 0 {
		t.Errorf("%d requests, %d left", hits.Load(), c.opts.Budget.Left())
	}
	if err := c.Connect(t.Context()); !errors.Is(err, budget.ErrSpent) {
		t.Errorf("Connect: %v", err)
	}
}
