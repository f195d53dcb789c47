// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package httpwire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/budget"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
)

func TestReplySession(t *testing.T) {
	const id = "0123456789ABCDEF0123456789ABCDEF"
	for _, tc := range []struct {
		name     string
		headers  []string
		id       string
		lifetime time.Duration
	}{
		{"as plugs write it", []string{"TP_SESSIONID=" + id + ";TIMEOUT=86400"}, id, 24 * time.Hour},
		{"with a blank", []string{"TP_SESSIONID=" + id + "; TIMEOUT=1440"}, id, 24 * time.Minute},
		{"other name", []string{"SESSIONID=" + id + ";TIMEOUT=60"}, id, time.Minute},
		{"no lifetime", []string{"TP_SESSIONID=" + id}, id, 24 * time.Hour},
		{"lifetime is no number", []string{"TP_SESSIONID=" + id + ";TIMEOUT=soon"}, id, 24 * time.Hour},
		{"lifetime is zero", []string{"TP_SESSIONID=" + id + ";TIMEOUT=0"}, id, 24 * time.Hour},
		{"lifetime is negative", []string{"TP_SESSIONID=" + id + ";TIMEOUT=-5"}, id, 24 * time.Hour},
		{"lifetime overflows", []string{"TP_SESSIONID=" + id + ";TIMEOUT=99999999999999"}, id, 24 * time.Hour},
		{"among others", []string{"lang=en", "TP_SESSIONID=" + id + ";timeout=10"}, id, 10 * time.Second},
		{"none", nil, "", 0},
		{"empty", []string{"TP_SESSIONID=;TIMEOUT=86400"}, "", 0},
		{"another cookie", []string{"JSESSIONID=" + id}, "", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id, lifetime, ok := Reply{Header: http.Header{"Set-Cookie": tc.headers}}.Session()
			if id != tc.id || lifetime != tc.lifetime || ok != (tc.id != "") {
				t.Errorf("got %q, %v, %t", id, lifetime, ok)
			}
		})
	}
}

func TestIsHTML(t *testing.T) {
	for text, want := range map[string]bool{
		"<html><body><center>200 OK</center></body></html>": true,
		" \r\n<!DOCTYPE HTML>":                              true,
		"<?xml version='1.0'?>":                             true,
		`{"error_code":1003}`:                               false,
		"":                                                  false,
		"<h\x00\xff":                                        false,
	} {
		if got := IsHTML([]byte(text)); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

// serve starts a server and returns a client of it.
func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c := NewClient(Options{Address: strings.TrimPrefix(server.URL, "http://"), Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(c.Close)
	return c
}

// sent counts the requests of a client.
func sent(c *Client) int { return c.opts.Budget.Spent() }

func post(t *testing.T, c *Client, timeout time.Duration) (Reply, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return c.Post(ctx, Request{Protocol: "p", Step: "step", Path: "/path?token=secret-token", Cookie: "secret-cookie", Body: []byte("x")})
}

func TestPostSendsWhatPlugsUnderstand(t *testing.T) {
	var got http.Header
	var length int64
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, length = r.Header.Clone(), r.ContentLength
		if r.ProtoMajor != 1 || len(r.TransferEncoding) > 0 {
			t.Errorf("%s with %v", r.Proto, r.TransferEncoding)
		}
		w.Header().Set("Set-Cookie", "TP_SESSIONID=other;TIMEOUT=5")
	})
	for range 2 { // the second would send back what a jar had kept
		if _, err := post(t, c, time.Second); err != nil {
			t.Fatal(err)
		}
		if cookies := got["Cookie"]; len(cookies) != 1 || cookies[0] != "TP_SESSIONID=secret-cookie" {
			t.Errorf("cookie %q", cookies)
		}
	}
	if length != 1 {
		t.Errorf("length %d", length)
	}
	for name, values := range got {
		if len(values) != 1 || values[0] == "" {
			t.Errorf("header %s is %q", name, values)
		}
	}
	if got.Get("Accept-Encoding") != "" {
		t.Errorf("headers %v", got)
	}
}

func TestPostFollowsNoRedirect(t *testing.T) {
	hits := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		hits++
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	reply, err := post(t, c, time.Second)
	if err != nil || reply.Status != http.StatusTemporaryRedirect || hits != 1 {
		t.Errorf("status %d, %v, %d requests", reply.Status, err, hits)
	}
}

func TestPostIgnoresProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	c := serve(t, func(http.ResponseWriter, *http.Request) {})
	if _, err := post(t, c, time.Second); err != nil {
		t.Error(err)
	}
}

func TestPostTriesOnceMoreWithoutAnswer(t *testing.T) {
	var hits atomic.Int32 // on two connections
	c := serve(t, func(http.ResponseWriter, *http.Request) {
		if hits.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
	})
	if _, err := post(t, c, time.Second); err != nil || hits.Load() != 2 || sent(c) != 2 {
		t.Errorf("%v after %d requests, %d counted", err, hits.Load(), sent(c))
	}
}

// TestSilent: that a request was first met with silence is reported, on a new connection and
// on one that was kept, whatever the second try brings.
func TestSilent(t *testing.T) {
	var hits atomic.Int32
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		switch hits.Add(1) {
		case 1, 4: // on a new connection, and on the one that the third request has kept
			panic(http.ErrAbortHandler)
		case 5:
			w.WriteHeader(http.StatusForbidden)
		}
	})
	for i, want := range []bool{true, false, true, false} {
		if _, err := post(t, c, time.Second); err != nil || c.Silent() != want {
			t.Errorf("request %d: silent %t, %v", i+1, c.Silent(), err)
		}
	}
}

func TestErrorsHoldNoSecrets(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err := post(t, c, time.Second)
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "step") {
		t.Errorf("got %v", err)
	}
	for _, r := range []Request{{Path: "/?token=secret\r\nX: y"}, {Path: "/", Cookie: "secret x"}, {Path: "/secret\x00"}, {Path: "/secret\xff"}} {
		_, err = c.Post(t.Context(), r)
		if !errors.Is(err, plugerr.ErrBadReply) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v", err)
		}
	}
}

func TestStatusErrorText(t *testing.T) {
	const want = "request: HTTP status 404 Not Found"
	if err := (&StatusError{"request", 404}); err.Error() != want {
		t.Errorf("%q, want %q", err, want)
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
			synctest.Test(t, func(t *testing.T) {
				var hits atomic.Int32
				c := NewClient(Options{
					Address: "192.0.2.1:80", Logger: slog.New(slog.DiscardHandler),
					DialContext: func(context.Context, string, string) (net.Conn, error) {
						ours, theirs := net.Pipe()
						go func() {
							defer theirs.Close()
							r := bufio.NewReader(theirs)
							if _, err := http.ReadRequest(r); err != nil {
								return
							}
							if hits.Add(1) == 1 {
								_, _ = io.Copy(io.Discard, r) // until the connection is given up
								return
							}
							_, _ = io.WriteString(theirs, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
						}()
						return ours, nil
					},
				})
				defer c.Close()
				ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
				defer cancel()
				start := time.Now()
				_, err := c.Post(ctx, tc.r)
				if errors.Is(err, context.DeadlineExceeded) { // the context's clock may strike first
					err = os.ErrDeadlineExceeded
				}
				if !errors.Is(err, tc.want) || hits.Load() != tc.hits || time.Since(start) != tc.took {
					t.Errorf("%v after %v and %d requests", err, time.Since(start), hits.Load())
				}
			})
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

// TestOnceIsSentOnce: what must not arrive twice is never sent twice.
func TestOnceIsSentOnce(t *testing.T) {
	var arrived atomic.Int32
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if arrived.Add(1); r.URL.Path == "/reset" {
			panic(http.ErrAbortHandler)
		}
	})
	once := func(path string) error {
		_, err := c.Post(t.Context(), Request{Step: "step", Path: path, Once: true})
		return err
	}
	if err := once("/"); err != nil {
		t.Fatal(err)
	}
	for _, connection := range []string{"kept", "new"} {
		before := arrived.Load()
		if err := once("/reset"); !errors.Is(err, ErrNoReply) {
			t.Errorf("%s connection: %v", connection, err)
		}
		if got := arrived.Load() - before; got != 1 {
			t.Errorf("%s connection: arrived %d times", connection, got)
		}
	}
	if err := once("/"); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// TestConnect: a connection that the plug has closed meanwhile is not used.
func TestConnect(t *testing.T) {
	l := listen(t, "silently")
	c := NewClient(Options{Address: l.Addr().String(), Logger: slog.New(slog.DiscardHandler)})
	defer c.Close()
	for range 5 {
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Post(t.Context(), Request{Step: "step", Path: "/", Once: true}); err != nil {
			t.Fatal(err)
		}
	}
	if sent(c) != 5 {
		t.Errorf("%d exchanges", sent(c))
	}
	l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // which leaves no time to wake it
	defer cancel()
	if err := c.Connect(ctx); err == nil || sent(c) != 5 {
		t.Errorf("nobody listens: %v, %d exchanges", err, sent(c))
	}
}

// TestUseChangesTheEndpoint changes between plain HTTP and HTTPS.
func TestUseChangesTheEndpoint(t *testing.T) {
	name := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, text+" "+r.Host) }
	}
	plain := httptest.NewServer(name("plain"))
	defer plain.Close()
	secure := httptest.NewTLSServer(name("secure"))
	defer secure.Close()
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)

	at := Endpoint{Address: strings.TrimPrefix(plain.URL, "http://")}
	trusting := Endpoint{Address: strings.TrimPrefix(secure.URL, "https://"), TLS: &tls.Config{InsecureSkipVerify: true}}
	strict := Endpoint{Address: trusting.Address, TLS: &tls.Config{ServerName: "plug"}}
	c := NewClient(Options{Address: at.Address, Logger: slog.New(slog.DiscardHandler)})
	defer c.Close()
	for _, e := range []Endpoint{at, trusting, at, trusting, trusting} {
		c.Use(e)
		want := "plain " + e.Address
		if e.TLS != nil {
			want = "secure " + e.Address
		}
		if reply, err := post(t, c, time.Second); err != nil || string(reply.Body) != want {
			t.Errorf("%q, %v, want %q", reply.Body, err, want)
		}
	}
	c.Use(strict)
	if reply, err := post(t, c, time.Second); err == nil {
		t.Errorf("a certificate of nobody's: %q", reply.Body)
	}
	c.Use(Endpoint{Address: at.Address, TLS: trusting.TLS})
	if reply, err := post(t, c, time.Second); err == nil {
		t.Errorf("plain HTTP instead of HTTPS: %q", reply.Body)
	}
}
