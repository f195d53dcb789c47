// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener of connections in simulated time.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p pipes) Close() error {
	close(p.ended)
	return nil
}

// connect serves a handler that takes probeTime, and returns a connection to it.
func connect(t *testing.T, probeTime time.Duration) (*httpServer, net.Conn) {
	t.Helper()
	s := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(probeTime):
			_, _ = io.WriteString(w, "the whole answer")
		case <-r.Context().Done():
		}
	}), probeTime, slog.New(slog.DiscardHandler))
	l := pipes{make(chan net.Conn), make(chan struct{})}
	go func() { _ = s.Serve(l) }()
	ours, theirs := net.Pipe()
	l.conns <- theirs
	t.Cleanup(func() {
		ours.Close()
		_ = s.Close()
	})
	return s, ours
}

// stop shuts a server down, and returns how long that took.
func stop(t *testing.T, s *httpServer) time.Duration {
	t.Helper()
	start := time.Now()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	return time.Since(start)
}

const (
	poll  = time.Second // net/http polls for the ends of connections, in less than this
	short = time.Second // of a probe, less than readTimeout
	long  = 8 * time.Second
)

// TestClientsThatStopHalfWay do not keep the server from ending, and those that have
// sent a whole header get their answer.
func TestClientsThatStopHalfWay(t *testing.T) {
	const host = " HTTP/1.1\r\nHost: x\r\n"
	for name, tc := range map[string]struct {
		sent     string
		trickle  bool
		answered bool
	}{
		"nothing":              {},
		"half a header":        {sent: "GET /probe" + host + "X-A: b"},
		"no body for a reload": {sent: "POST /-/reload" + host + "Content-Length: 100\r\n\r\n", answered: true},
		"no body for a probe":  {sent: "GET /probe" + host + "Content-Length: 100\r\n\r\n", answered: true},
		"half a body":          {sent: "POST /-/reload" + host + "Content-Length: 100\r\n\r\nhalf", answered: true},
		"a slow body":          {sent: "POST /-/reload" + host + "Content-Length: 100\r\n\r\n", trickle: true, answered: true},
		"no chunk":             {sent: "POST /-/reload" + host + "Transfer-Encoding: chunked\r\n\r\n", answered: true},
		"no continue":          {sent: "POST /-/reload" + host + "Expect: 100-continue\r\nContent-Length: 100\r\n\r\n", answered: true},
		"a whole request":      {sent: "GET /probe" + host + "\r\n", answered: true},
		"a whole body":         {sent: "GET /probe" + host + "Content-Length: 4\r\n\r\nbody", answered: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, c := connect(t, short)
			if tc.sent != "" {
				if _, err := io.WriteString(c, tc.sent); err != nil {
					t.Fatal(err)
				}
			}
			if tc.trickle {
				go func() {
					for _, err := io.WriteString(c, "x"); err == nil; _, err = io.WriteString(c, "x") {
						time.Sleep(time.Second)
					}
				}()
			}
			synctest.Wait()
			answer := make(chan string, 1)
			go func() {
				all, _ := io.ReadAll(c)
				answer <- string(all)
			}()
			took := stop(t, s)
			if got := <-answer; tc.answered != strings.Contains(got, "the whole answer") {
				t.Errorf("%s: answer %q", name, got)
			}
			if most := map[bool]time.Duration{true: short}[tc.answered] + poll; took > most {
				t.Errorf("%s: the end has taken %v", name, took)
			}
		})
	}
}

// TestLimits: what a client can keep, and for how long.
func TestLimits(t *testing.T) {
	for name, tc := range map[string]struct {
		sent string
		want string
		ends time.Duration
	}{
		"no request":     {"", "", readTimeout},
		"no more":        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK", long + idleTimeout},
		"a large header": {"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 32<<10), "431 Request Header Fields Too Large", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, c := connect(t, long)
			if tc.sent != "" {
				go func() { _, _ = io.WriteString(c, tc.sent) }() // it is not read to its end
			}
			start := time.Now()
			all, _ := io.ReadAll(c)
			if took := time.Since(start); !strings.Contains(string(all), tc.want) || took < tc.ends || took > tc.ends+poll {
				t.Errorf("%s: after %v: %q", name, took, all)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // a client that does not read its answer
		s, c := connect(t, long)
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if took := stop(t, s); took < long || took > long+writeTime+poll {
			t.Errorf("ended after %v", took)
		}
	})
}

// TestErrorLog: what net/http logs about clients is a bounded warning.
func TestErrorLog(t *testing.T) {
	var log bytes.Buffer
	s := newServer(nil, 0, slog.New(slog.NewTextHandler(&log, nil)))
	s.ErrorLog.Printf("http: TLS handshake error: %q", strings.Repeat("é", 100_000))
	if got := log.String(); !strings.Contains(got, "level=WARN") || !strings.Contains(got, "TLS handshake error") || len(got) > maxErrorLog+200 {
		t.Errorf("%d bytes: %.200s", len(got), got)
	}
}
