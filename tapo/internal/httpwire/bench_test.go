// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package httpwire

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// The sizes of a warm read: a batch of three methods, and the plug's reply.
const (
	requestSize = 300
	replySize   = 1500
)

// serveReplies answers each POST of requestSize bytes with the same reply, at as
// little cost as a server can have.
func serveReplies(b *testing.B) (address string) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	reply := append([]byte("HTTP/1.1 200 OK\r\nServer: SHIP 2.0\r\nContent-Length: "+strconv.Itoa(replySize)+"\r\n\r\n"), make([]byte, replySize)...)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for r := bufio.NewReader(conn); err == nil; {
			for line := []byte{0}; err == nil && len(line) != 2; { // up to the empty line
				line, err = r.ReadSlice('\n')
			}
			if _, err = r.Discard(requestSize); err == nil {
				_, err = conn.Write(reply)
			}
		}
	}()
	return l.Addr().String()
}

// BenchmarkPost compares one exchange of a warm read with the same over
// net/http's Transport. The package's comment quotes the figures.
func BenchmarkPost(b *testing.B) {
	body := make([]byte, requestSize)
	run := func(name string, exchange func(ctx context.Context) (size int, err error)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
				if size, err := exchange(ctx); err != nil || size != replySize {
					b.Fatal(size, err)
				}
				cancel()
			}
		})
	}
	c := NewClient(Options{Address: serveReplies(b), Logger: slog.New(slog.DiscardHandler)})
	b.Cleanup(c.Close)
	run("client", func(ctx context.Context) (int, error) {
		c.Begin()
		reply, err := c.Post(ctx, Request{Step: "request", Path: "/app/request?seq=1", Cookie: "0123456789ABCDEF", Body: body})
		return len(reply.Body), err
	})
	address := serveReplies(b)
	transport := &http.Transport{DisableCompression: true, MaxConnsPerHost: 1}
	b.Cleanup(transport.CloseIdleConnections)
	run("net-http", func(ctx context.Context) (int, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/app/request?seq=1", bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		req.Header = http.Header{"Content-Type": {"application/octet-stream"}, "Accept": {"*/*"}, "Cookie": {sessionCookie + "=0123456789ABCDEF"}}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		reply, err := io.ReadAll(io.LimitReader(resp.Body, MaxReply))
		return len(reply), err
	})
}
