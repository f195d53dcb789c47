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
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
)

func TestSession(t *testing.T) {
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

// TestConnections: one is kept while the server keeps it, and none where it
// turns out not to, at no cost in requests where the system tells that it was
// closed.
func TestConnections(t *testing.T) {
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

func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]error{
		"request: HTTP status 404 Not Found":                        &StatusError{"request", 404},
		"get_x: error_code -1002 (UNKNOWN_METHOD)":                  &plugerr.CodeError{Step: "get_x", Code: plugerr.CodeUnknownMethod},
		"get_x: error_code 4711 (unknown to this program)":          &plugerr.CodeError{Step: "get_x", Code: 4711},
		"login: error_code -1501 (LOGIN: wrong e-mail or password)": &plugerr.CodeError{Step: "login", Code: plugerr.CodeLogin},
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}
