// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/safetext"
)

const (
	readTimeout = 5 * time.Second // of a request, with its header
	writeTime   = 10 * time.Second
	idleTimeout = 2 * time.Minute
	maxHeader   = 16 << 10
	maxErrorLog = 4 << 10 // net/http quotes what clients send
)

// httpServer is an [http.Server] that no client keeps from ending.
type httpServer struct {
	http.Server

	mu      sync.Mutex
	silent  map[net.Conn]bool // connections that have not sent a whole header yet
	closing bool
}

// newServer returns a server of a handler that takes longest at most.
func newServer(handler http.Handler, longest time.Duration, logger *slog.Logger) *httpServer {
	s := &httpServer{silent: map[net.Conn]bool{}}
	s.Server = http.Server{
		Handler:        ignoreBodies(handler),
		ReadTimeout:    readTimeout,
		WriteTimeout:   longest + writeTime, // it begins with the request
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       log.New(errorLog{logger}, "", 0),
		ConnState:      s.follow,
	}
	return s
}

// follow keeps which connections are silent.
func (s *httpServer) follow(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.silent, c)
	case s.closing:
		c.Close()
	default:
		s.silent[c] = true
	}
}

// Shutdown is [http.Server.Shutdown], but does not wait for silent connections.
func (s *httpServer) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for c := range s.silent {
		c.Close()
	}
	s.mu.Unlock()
	return s.Server.Shutdown(ctx)
}

// ignoreBodies does not wait for the body of a request: no page takes one. Otherwise
// net/http would wait for it before the reply, even while the server shuts down.
func ignoreBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // without one, ReadTimeout ends the wait
		}
		next.ServeHTTP(w, r)
	})
}

// errorLog writes what net/http logs.
type errorLog struct{ logger *slog.Logger }

// Write implements [io.Writer] for a [log.Logger].
func (l errorLog) Write(line []byte) (int, error) {
	l.logger.Warn("HTTP server reports an error", "err", safetext.Bound(strings.TrimSpace(string(line)), maxErrorLog))
	return len(line), nil
}
