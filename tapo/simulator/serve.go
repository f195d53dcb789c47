// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/tpap"
)

// serveConn serves the requests of one connection.
func (p *Plug) serveConn(conn net.Conn) {
	_, secure := conn.(*tls.Conn)
	p.mu.Lock()
	p.stats.Connections++
	p.mu.Unlock()
	r := bufio.NewReader(conn)
	for {
		req, err := readRequest(r)
		if err != nil {
			return
		}
		req.secure, req.step = secure, stepOf(req)
		fault := p.takeFault(req)
		if !p.wait(p.Latency + fault.Delay) {
			return
		}
		if fault.Kind == LoseSession {
			p.LoseSession()
		}
		resp, last := p.handle(req, fault)
		if resp.hang {
			fault.Kind = Hang
		}
		if fault.Kind == LoseSessionAfter {
			p.LoseSession()
		}
		if fault.send(conn, resp, req.close) != nil || req.close || last {
			return
		}
	}
}

// wait waits, and reports whether the plug is still running.
func (p *Plug) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.server.done:
		return false
	}
}

// handle returns the response to a request. If last is true, the plug closes the
// connection after it.
func (p *Plug) handle(req request, fault Fault) (resp response, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Requests++
	p.stats.Steps[req.step]++
	p.hang = false
	resp = p.route(req, fault)
	resp.hang = p.hang
	if fault.Rewrite != nil {
		resp.body = fault.Rewrite(resp.body)
	}
	if earlier, ok := p.lastBodies[req.step]; ok && fault.Kind == Replay {
		resp.body = earlier
	}
	p.lastBodies[req.step] = resp.body
	return resp, p.Model.Closes
}

// stepOf returns the step that a request belongs to, in the words of Fault.Path. It is
// the path, except where that is the same for all steps (securePassthrough, a TPAP
// login) or contains a token (TPAP's data).
func stepOf(req request) string {
	var call struct {
		Method string `json:"method"`
		Params struct {
			SubMethod string `json:"sub_method"`
		} `json:"params"`
	}
	switch {
	case strings.HasPrefix(req.path, "/stok=") && strings.HasSuffix(req.path, stepData):
		return stepData
	case req.path == "/app" && req.query != "":
		return "request /app"
	case req.path != "/" && req.path != "/app" || !unmarshal(req.body, &call):
	case req.path == "/" && call.Method == "login":
		return call.Params.SubMethod
	case call.Method == "securePassthrough":
		return "login_device /app"
	case call.Method == "handshake":
		return "handshake /app"
	}
	return req.path
}

func (p *Plug) route(req request, fault Fault) response {
	switch {
	case fault.replaces():
		return fault.response()
	case req.status == http.StatusOK, req.status == 0 && req.method == http.MethodGet && req.path == "/":
		return page()
	case req.status != 0:
		return response{status: req.status}
	case req.method != http.MethodPost:
		return response{status: http.StatusNotFound}
	case req.path == "/" && (p.Model.Protocol != TPAP || req.step == tpap.Discover):
		return p.discover(req)
	}
	switch p.Model.Protocol {
	case Passthrough:
		return p.handlePassthrough(req, fault)
	case TPAP:
		return p.handleTPAP(req, fault)
	default:
		return p.handleKLAP(req, fault)
	}
}
