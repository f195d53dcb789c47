// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"cmp"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// FaultKind is something that goes wrong.
type FaultKind int

// The faults.
const (
	None FaultKind = iota
	// Slow answers after Delay, otherwise well.
	Slow
	// Hang never answers.
	Hang
	// Reset closes the connection instead of answering.
	Reset
	// CloseAfterReply closes the connection after a good answer, unannounced.
	CloseAfterReply
	// Truncate closes the connection after half of the body.
	Truncate
	// BadSignature damages a KLAP reply's signature, a TPAP reply's tag, or a
	// passthrough reply's text.
	BadSignature
	// Garble answers with bytes that mean nothing.
	Garble
	// Oversize answers with 10 MB.
	Oversize
	// Endless answers with a body that never ends.
	Endless
	// HTML answers with the stock web page.
	HTML
	// Status answers with Fault.Status and an empty body.
	Status
	// Code answers with Fault.Code in plain JSON.
	Code
	// Redirect answers with a redirect to Fault.Location.
	Redirect
	// LoseSession forgets the session before the request is looked at.
	LoseSession
	// NoBatch answers multipleRequest with -1003, as some firmware does.
	NoBatch
	// NotJSON answers over the session with what is no JSON.
	NotJSON
	// StrayByte appends a line feed to a handshake1 reply, as some firmware does.
	StrayByte
	// OldCookie calls the session cookie SESSIONID, as some firmware does.
	OldCookie
	// PlainReply answers passthrough requests with inner JSON that is not
	// encrypted, as some firmware does.
	PlainReply
	// BadSequence answers a TPAP request with another sequence number.
	BadSequence
	// BadConfirm answers pake_share with a wrong dev_confirm.
	BadConfirm
	// LoseSessionAfter forgets the session once the request has been answered.
	LoseSessionAfter
	// Replay answers with the body of the answer before to the same step.
	Replay
	// Overstate announces more bytes than it sends, and closes the connection.
	Overstate
	// Understate announces fewer bytes than it sends.
	Understate
	// NoLength announces none, and closes the connection after the body.
	NoLength
	// OddHeaders writes the names of headers in small and in capital letters.
	OddHeaders
)

// Fault is injected with [Plug.Inject].
type Fault struct {
	Kind FaultKind
	// Path limits the fault to requests whose path has this suffix: "" is any,
	// "/app/handshake1", "/app/handshake2" and "/app/request" are KLAP's steps,
	// "/app" is all of passthrough, of which "handshake /app", "login_device /app"
	// and "request /app" are the steps, "/ds" is TPAP's data, and "discover",
	// "pake_register" and "pake_share" are its login.
	Path string
	// Times is how many requests are hit; 0 means all until [Plug.Heal].
	Times int
	// Skip lets that many matching requests pass first.
	Skip int
	// Delay is added to the answer's time, with any kind.
	Delay time.Duration
	// Status is for the kind Status, and for Redirect if it is not 302; Location
	// is for Redirect, Code for Code.
	Status   int
	Location string
	Code     int
	// Rewrite, if it is not nil, makes the answer's body of the one at hand,
	// with any kind.
	Rewrite func(body []byte) []byte
}

// Inject adds a fault. The first fault that matches a request applies to it.
func (p *Plug) Inject(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.Times == 0 {
		f.Times = -1
	}
	p.faults = append(p.faults, &f)
}

// Heal takes back all faults.
func (p *Plug) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// takeFault returns the fault that hits a request, or the zero one.
func (p *Plug) takeFault(req request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range p.faults {
		if !strings.HasSuffix(req.step, f.Path) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times--; f.Times == 0 {
			p.faults = slices.Delete(p.faults, i, i+1)
		}
		return *f
	}
	return Fault{}
}

// replaces reports whether the fault takes the place of the plug's answer.
func (f Fault) replaces() bool {
	switch f.Kind {
	case Garble, Oversize, HTML, Status, Redirect, Code:
		return true
	}
	return false
}

func (f Fault) response() response {
	switch f.Kind {
	case Garble:
		return response{status: http.StatusOK, contentType: contentBinary, body: bytes.Repeat([]byte{0xde, 0xad, 0xbe}, 27)}
	case Oversize:
		return response{status: http.StatusOK, contentType: contentBinary, body: make([]byte, 10<<20)}
	case Status:
		return response{status: f.Status}
	case Code:
		return jsonCode(f.Code)
	case Redirect:
		return response{status: cmp.Or(f.Status, http.StatusFound), location: f.Location}
	}
	return page()
}

// send writes a response, well or as the fault has it. An error means that the
// connection is of no further use.
func (f Fault) send(conn net.Conn, resp response, closing bool) error {
	switch f.Kind {
	case Hang:
		_, _ = io.Copy(io.Discard, conn) // until one side closes the connection
		return errClose
	case Reset:
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // makes closing a reset
		}
		return errClose
	case Truncate:
		return sendAndClose(conn, resp.head(len(resp.body), closing), resp.body[:len(resp.body)/2])
	case Endless:
		return sendForever(conn)
	case CloseAfterReply:
		return sendAndClose(conn, resp.head(len(resp.body), closing), resp.body)
	case Overstate:
		return sendAndClose(conn, resp.head(len(resp.body)+10, closing), resp.body)
	case Understate:
		return sendAndClose(conn, resp.head(len(resp.body)/2, closing), resp.body)
	case NoLength:
		head := bytes.Replace(resp.head(0, true), []byte("Content-Length: 0\r\n"), nil, 1)
		return sendAndClose(conn, head, resp.body)
	case OddHeaders:
		head := resp.head(len(resp.body), closing)
		for _, name := range []string{"Content-Length", "Content-Type"} {
			head = bytes.Replace(head, []byte(name), []byte(strings.ToLower(name)), 1)
		}
		_, err := conn.Write(append(bytes.Replace(head, []byte("Set-Cookie"), []byte("SET-COOKIE"), 1), resp.body...))
		return err
	}
	_, err := conn.Write(append(resp.head(len(resp.body), closing), resp.body...))
	return err
}

func sendAndClose(conn net.Conn, head, body []byte) error {
	_, _ = conn.Write(append(head, body...))
	return errClose
}

// sendForever writes until the client has had enough.
func sendForever(conn net.Conn) error {
	_, err := conn.Write([]byte("HTTP/1.1 200 OK\r\nServer: SHIP 2.0\r\n\r\n"))
	for chunk := make([]byte, 4096); err == nil; {
		_, err = conn.Write(chunk)
	}
	return err
}
