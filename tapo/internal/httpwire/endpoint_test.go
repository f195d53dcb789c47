// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package httpwire

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestOnce: what must not arrive twice is never sent twice.
func TestOnce(t *testing.T) {
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
	if err := c.Connect(t.Context()); err == nil || sent(c) != 5 {
		t.Errorf("nobody listens: %v, %d exchanges", err, sent(c))
	}
}

// TestWakeUpOnce: a plug that refuses connections is sent one discovery probe.
func TestWakeUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := make(chan string, 10)
		c := NewClient(Options{
			Address: "[2001:db8::1]:80", Logger: slog.New(slog.DiscardHandler),
			DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
				if network == "tcp" {
					return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
				}
				sent <- address
				ours, theirs := net.Pipe()
				go func() {
					probe, _ := io.ReadAll(theirs)
					sent <- hex.EncodeToString(probe)
				}()
				return ours, nil
			},
		})
		for range 2 {
			c.Begin()
			for range 2 {
				start := time.Now()
				if err := c.Connect(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Error(err)
				}
				if took := time.Since(start); took != 0 && took != time.Second {
					t.Errorf("took %v", took)
				}
			}
		}
		const probe = "020000010000000000000000463cb5d3"
		synctest.Wait()
		close(sent)
		var all []string
		for s := range sent {
			all = append(all, s)
		}
		if want := []string{"[2001:db8::1]:20002", probe, "[2001:db8::1]:20002", probe}; !slices.Equal(all, want) {
			t.Errorf("sent %q", all)
		}
	})
}

// TestUse goes to and fro between plain HTTP and HTTPS.
func TestUse(t *testing.T) {
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
