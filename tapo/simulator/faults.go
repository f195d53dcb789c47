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

// FaultKind is the kind of a [Fault].
type FaultKind int

// The faults.
const (
	None FaultKind = iota
	// Slow sends the right reply after Delay.
	Slow
	// Hang sends no reply, and keeps the connection open.
	Hang
	// Reset resets the connection instead of replying.
	Reset
	// CloseAfterReply closes the connection after the right reply, without
	// announcing it (python-kasa/python-kasa#682).
	CloseAfterReply
	// Truncate closes the connection after half of the body.
	Truncate
	// BadSignature damages a KLAP reply's signature, a TPAP reply's tag, or a
	// passthrough reply's text.
	BadSignature
	// Garble replies with bytes that are neither a frame nor text.
	Garble
	// Oversize replies with 10 MB.
	Oversize
	// Endless replies with a body that never ends.
	Endless
	// HTML replies with the web server's own page.
	HTML
	// Status replies with Fault.Status and an empty body.
	Status
	// Code replies with Fault.Code in plain JSON.
	Code
	// Redirect replies with a redirect to Fault.Location.
	Redirect
	// LoseSession ends the session before the request is handled.
	LoseSession
	// NoBatch refuses multipleRequest with -1003, as P100 does
	// (python-kasa/python-kasa#819).
	NoBatch
	// Says replies over the session with Fault.Text, which may be JSON.
	Says
	// StrayByte appends a line feed to a handshake1 reply.
	StrayByte
	// OldCookie names the session cookie SESSIONID (python-kasa's klaptransport.py).
	OldCookie
	// PlainReply replies to a passthrough request with inner JSON that is not
	// encrypted (python-kasa's aestransport.py).
	PlainReply
	// BadSequence replies to a TPAP request with another sequence number.
	BadSequence
	// BadConfirm replies to pake_share with a wrong dev_confirm.
	BadConfirm
	// LoseSessionAfter ends the session after the request is handled.
	LoseSessionAfter
	// Replay repeats the body of the previous reply to the same step.
	Replay
	// Overstate announces more bytes than it sends, and closes the connection.
	Overstate
	// Understate announces fewer bytes than it sends.
	Understate
	// NoLength sends no Content-Length, and closes the connection after the body.
	NoLength
	// OddHeaders writes header names in lower and upper case.
	OddHeaders
)

// Fault is injected with [Plug.Inject].
type Fault struct {
	Kind FaultKind
	// Path limits the fault to steps with this suffix; "" matches all. The steps are
	//
	//	KLAP               /app/handshake1, /app/handshake2, /app/request
	//	securePassthrough  handshake /app, login_device /app, request /app
	//	TPAP               discover, pake_register, pake_share, /ds (data)
	Path string
	// Times is the number of requests to hit; 0 means all until [Plug.Heal].
	Times int
	// Above limits the fault to requests with a body of more bytes.
	Above int
	// Skip is the number of matching requests to let pass first.
	Skip int
	// Delay is added to the latency. It applies to every kind.
	Delay time.Duration
	// Status is for the kind Status, and for Redirect if it is not 302. Location
	// is for Redirect, Code for Code, Text for Says.
	Status   int
	Location string
	Code     int
	Text     string
	// Rewrite, if it is not nil, changes the reply's body. It applies to every kind.
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

// Heal removes all faults.
func (p *Plug) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// takeFault returns the fault that applies to a request, or the zero value.
func (p *Plug) takeFault(req request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range p.faults {
		if !strings.HasSuffix(req.step, f.Path) || len(req.body) <= f.Above && f.Above > 0 {
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

// replaces reports whether [Fault.response] is sent instead of the plug's reply.
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

// send writes a response in the way of the fault. After an error the connection
// must be closed.
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

// sendForever writes until the client closes the connection.
func sendForever(conn net.Conn) error {
	_, err := conn.Write([]byte("HTTP/1.1 200 OK\r\nServer: SHIP 2.0\r\n\r\n"))
	for chunk := make([]byte, 4096); err == nil; {
		_, err = conn.Write(chunk)
	}
	return err
}
