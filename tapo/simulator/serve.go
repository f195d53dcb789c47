// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bufio"
	"net"
	"net/http"
	"time"
)

// serveConn answers the requests of one connection.
func (p *Plug) serveConn(conn net.Conn) {
	p.mu.Lock()
	p.stats.Connections++
	p.mu.Unlock()
	r := bufio.NewReader(conn)
	for {
		req, err := readRequest(r)
		if err != nil {
			return
		}
		fault := p.takeFault(req)
		if !p.wait(p.Latency + fault.Delay) {
			return
		}
		if fault.Kind == LoseSession {
			p.LoseSession()
		}
		resp, last := p.answer(req, fault)
		if fault.send(conn, resp, req.close, p.server.done) != nil || req.close || last {
			return
		}
	}
}

// wait lets time pass, and reports whether the plug is still running.
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

// answer handles a request. last says that the plug closes the connection
// after it.
func (p *Plug) answer(req request, fault Fault) (resp response, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Requests++
	p.stats.Paths[req.path]++
	return p.route(req, fault), p.Model.Closes
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
	case req.path == "/":
		return p.discover(req)
	}
	switch p.Model.Protocol {
	case Passthrough:
		return p.answerPassthrough(req, fault)
	case TPAP:
		return refuseLocal(req)
	default:
		return p.answerKLAP(req, fault)
	}
}

// discover answers the question whether the plug speaks TPAP.
func (p *Plug) discover(req request) response {
	var call struct {
		Method string `json:"method"`
		Params struct {
			SubMethod string `json:"sub_method"`
		} `json:"params"`
	}
	knows := p.Model.Protocol == TPAP || p.Model.Compatibility
	switch {
	case p.Model.Protocol == Passthrough:
		return page()
	case !unmarshal(req.body, &call) || call.Method != "login" || call.Params.SubMethod != "discover" || !knows:
		return jsonCode(codeUnknownTransport)
	case p.Model.Compatibility:
		return jsonBody(`{"error_code":0,"result":{"sub_method":"discover","tpap_preferred":false}}`)
	}
	return jsonBody(`{"error_code":0,"result":{"sub_method":"discover","tpap_preferred":true,"mac":"` + bare(p.identity.mac) +
		`","tpap":{"tls":0,"dac":0,"noc":0,"pake":[2],"port":80}}}`)
}

// refuseLocal is how a plug that speaks TPAP treats the older protocols.
func refuseLocal(req request) response {
	switch req.path {
	case "/app/handshake1", "/app/handshake2", "/app/request":
		return response{status: http.StatusForbidden}
	case "/app":
		return jsonCode(codeUnknownTransport)
	}
	return response{status: http.StatusNotFound}
}
