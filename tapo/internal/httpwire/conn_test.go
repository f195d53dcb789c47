// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package httpwire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
)

func TestPostBoundsReplies(t *testing.T) {
	big := strings.Repeat("x", MaxReply+1)
	for name, h := range map[string]http.HandlerFunc{
		"announced": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(big)))
			_, _ = io.WriteString(w, big)
		},
		"not announced": func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, big)
		},
		"never ending": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, big)
			}
		},
		"cut short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := post(t, serve(t, h), 5*time.Second)
			if !errors.Is(err, plugerr.ErrBadReply) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPostTakesTheLargestReply(t *testing.T) {
	big := strings.Repeat("x", MaxReply)
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, big) })
	if reply, err := post(t, c, 5*time.Second); err != nil || len(reply.Body) != MaxReply {
		t.Errorf("%d bytes, %v", len(reply.Body), err)
	}
}

// TestConnectionsAreKept: one is kept while the server keeps it, and none where it
// turns out not to, at no cost in requests where the system tells that it was
// closed.
func TestConnectionsAreKept(t *testing.T) {
	for name, tc := range map[string]struct {
		closing string // the server closes the connection: "", "announced" or "silently"
		dialled int    // connections for ten requests
	}{
		"kept":                {"", 1},
		"closed, announced":   {"announced", 10},
		"closed, unannounced": {"silently", 10},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t, tc.closing)
			dialled := 0
			c := NewClient(Options{
				Address: l.Addr().String(), Logger: slog.New(slog.DiscardHandler),
				DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
					dialled++
					return (&net.Dialer{}).DialContext(ctx, network, address)
				},
			})
			defer c.Close()
			for range 10 {
				if reply, err := post(t, c, time.Second); err != nil || string(reply.Body) != "ok" {
					t.Fatalf("%q, %v", reply.Body, err)
				}
				time.Sleep(2 * time.Millisecond) // for the news of the end to arrive
			}
			if dialled != tc.dialled || runtime.GOOS != "windows" && sent(c) != 10 {
				t.Errorf("%d connections, %d requests sent", dialled, sent(c))
			}
		})
	}
}

// TestKeptBeyondDeadline: the deadline of one request does not end the
// connection for the next.
func TestKeptBeyondDeadline(t *testing.T) {
	var dialled atomic.Int32
	c := serve(t, func(http.ResponseWriter, *http.Request) {})
	dial := c.opts.DialContext
	c.opts.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled.Add(1)
		return dial(ctx, network, address)
	}
	for range 3 {
		if _, err := post(t, c, 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		time.Sleep(60 * time.Millisecond)
	}
	if dialled.Load() != 1 {
		t.Errorf("%d connections", dialled.Load())
	}
}

// listen answers requests, and closes connections as closing says.
func listen(t *testing.T, closing string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answer(c, closing)
		}
	}()
	return l
}

// answer answers requests on a connection.
func answer(c net.Conn, closing string) {
	defer c.Close()
	for r := bufio.NewReader(c); ; {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		header := ""
		if closing == "announced" {
			header = "Connection: close\r\n"
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+header+"Content-Length: 2\r\n\r\nok")
		if closing != "" {
			return
		}
	}
}

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
