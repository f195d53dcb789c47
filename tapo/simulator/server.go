// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// server accepts connections. It is not net/http's server, which cannot imitate the
// web server of a plug. That one compares the name Content-Length in this letter case
// (mihai-dinculescu/tapo sends title case for it), accepts no chunks, and serves its
// own page for a header with an empty value (kacper-serewis/tapo-p100-java-poc#4).
type server struct {
	done    chan struct{}
	closing sync.Once
	group   sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener
	conns    map[io.Closer]struct{} // connections, and what else close closes; nil after that
}

func (s *server) start(l net.Listener, serve func(net.Conn)) {
	s.done, s.conns = make(chan struct{}), map[io.Closer]struct{}{}
	s.resume(l, serve)
}

// resume accepts connections, unless the server has been closed.
func (s *server) resume(l net.Listener, serve func(net.Conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		l.Close()
		return
	}
	s.listener = l
	s.group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if !s.onClose(conn) {
				return
			}
			s.group.Go(func() {
				defer s.untrack(conn)
				serve(conn)
			})
		}
	})
}

// pause closes the listener and all connections.
func (s *server) pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener.Close()
	s.closeConnsLocked()
}

func (s *server) closeConns() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeConnsLocked()
}

func (s *server) closeConnsLocked() {
	for c := range s.conns {
		c.Close()
	}
}

// onClose registers c, so that close closes it. If the server is closed already,
// onClose closes c and returns false.
func (s *server) onClose(c io.Closer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		c.Close()
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *server) untrack(c net.Conn) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *server) close() {
	s.closing.Do(func() {
		close(s.done)
		s.pause()
		s.mu.Lock()
		s.conns = nil
		s.mu.Unlock()
	})
	s.group.Wait()
}

const (
	maxHeader = 8 << 10
	maxBody   = 16 << 10

	contentHTML   = "text/html"
	contentJSON   = "application/json;charset=UTF-8"
	contentBinary = "application/octet-stream"
)

// request has the parts of an HTTP request that a plug uses.
type request struct {
	method, path, query string
	cookie              string
	body                []byte
	close               bool   // the client sent Connection: close
	secure              bool   // it came over TLS
	step                string // see stepOf

	status int // the web server's own answer to a malformed request, or 0
}

// response is an HTTP response.
type response struct {
	status      int
	contentType string
	cookie      string // a whole Set-Cookie value
	location    string
	body        []byte
	hang        bool // send nothing
}

// stockPage is the web server's own page. A plug serves it for GET, and for requests
// that its web server does not understand (kacper-serewis/tapo-p100-java-poc#4).
const stockPage = "<html><body><center>200 OK</center></body></html>"

func page() response {
	return response{status: http.StatusOK, contentType: contentHTML, body: []byte(stockPage)}
}

// readRequest reads one request from a connection.
func readRequest(r *bufio.Reader) (request, error) {
	line, err := readLine(r)
	if err != nil {
		return request{}, err
	}
	var req request
	target := ""
	if parts := strings.Fields(line); len(parts) == 3 {
		req.method, target = parts[0], parts[1]
	} else {
		req.status, req.close = http.StatusBadRequest, true
	}
	req.path, req.query, _ = strings.Cut(target, "?")
	length, misspelt := -1, false
	for size := 0; ; size += len(line) {
		if line, err = readLine(r); err != nil {
			return request{}, err
		}
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case size > maxHeader:
			return request{}, bufio.ErrBufferFull
		case value == "":
			misspelt = true
		case name == "Content-Length":
			length, err = strconv.Atoi(value)
			if err != nil || length < 0 || length > maxBody {
				req.status, req.close, length = http.StatusBadRequest, true, 0
			}
		case strings.EqualFold(name, "Content-Length"):
			misspelt = true
		case strings.EqualFold(name, "Cookie"):
			req.cookie = value
		case strings.EqualFold(name, "Connection"):
			req.close = req.close || strings.EqualFold(value, "close")
		}
	}
	switch {
	case length > 0:
		req.body = make([]byte, length)
		if _, err := io.ReadFull(r, req.body); err != nil {
			return request{}, err
		}
	case length < 0 && req.method == http.MethodPost && !misspelt:
		req.status, req.close = http.StatusInternalServerError, true // chunks, or no body
	case length < 0 && req.method == http.MethodPost:
		req.close = true // an unread body may follow
	}
	if misspelt && req.status == 0 {
		req.status = http.StatusOK
	}
	return req, nil
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	return string(bytes.TrimRight(line, "\r\n")), err
}

// head returns the status line and the headers, with the given Content-Length.
func (resp response) head(length int, closing bool) []byte {
	b := make([]byte, 0, 256+len(resp.body))
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(resp.status), 10)
	b = append(append(b, ' '), http.StatusText(resp.status)...)
	b = append(b, "\r\nServer: SHIP 2.0\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(length), 10)
	for _, h := range [][2]string{{"Content-Type", resp.contentType}, {"Set-Cookie", resp.cookie}, {"Location", resp.location}} {
		if h[1] != "" {
			b = append(append(append(append(b, "\r\n"...), h[0]...), ": "...), h[1]...)
		}
	}
	if closing {
		b = append(b, "\r\nConnection: close"...)
	}
	return append(b, "\r\n\r\n"...)
}
