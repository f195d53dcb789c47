// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/klap"
)

// klapState is the plug's half of KLAP. A plug keeps one session: a handshake by
// another client ends the previous one (openhab/openhab-addons#20316).
type klapState struct {
	pending *klapPending
	session *klapSession
}

type klapPending struct {
	cookie        string
	local, remote []byte
}

type klapSession struct {
	cookie  string
	cipher  *klap.Cipher
	last    int32 // the sequence number of the last request
	fresh   bool  // there was no request yet
	expires time.Time
}

func (p *Plug) handleKLAP(req request, fault Fault) response {
	switch req.path {
	case "/app/handshake1":
		return p.handshake1(req, fault)
	case "/app/handshake2":
		return p.handshake2(req)
	case "/app/request":
		return p.klapRequest(req, fault)
	case "/app":
		return jsonCode(codeUnknownTransport)
	}
	return response{status: http.StatusNotFound}
}

func (p *Plug) klapVersion() klap.Version {
	if p.KLAPVersion1 {
		return klap.V1
	}
	return klap.V2
}

func (p *Plug) handshake1(req request, fault Fault) response {
	if len(req.body) != klap.SeedSize {
		return response{status: http.StatusBadRequest}
	}
	pending := &klapPending{cookie: newSessionID(), local: req.body, remote: make([]byte, klap.SeedSize)}
	rand.Read(pending.remote)
	p.klap.pending = pending
	v := p.klapVersion()
	proof := v.ServerHash(pending.local, pending.remote, v.AuthHash(p.Username, p.Password))
	body := slices.Concat(pending.remote, proof)
	if fault.Kind == StrayByte {
		body = append(body, '\n')
	}
	return response{status: http.StatusOK, contentType: contentBinary, cookie: p.setCookie(pending.cookie, fault), body: body}
}

// setCookie returns the value of Set-Cookie. Plugs add the lifetime in seconds as an
// attribute that no standard defines (petretiandrea/plugp100#131).
func (p *Plug) setCookie(id string, fault Fault) string {
	name := "TP_SESSIONID"
	if fault.Kind == OldCookie {
		name = "SESSIONID"
	}
	return fmt.Sprintf("%s=%s;TIMEOUT=%d", name, id, int(p.SessionLifetime/time.Second))
}

// sessionOf returns the session in a Cookie header, "" if there is none. Other cookies
// are ignored.
func sessionOf(header string) string {
	for pair := range strings.SplitSeq(header, ";") {
		if id, ok := strings.CutPrefix(strings.TrimSpace(pair), "TP_SESSIONID="); ok {
			return id
		}
	}
	return ""
}

// klapSessionOf is sessionOf for KLAP, which refuses a client that sends TIMEOUT back
// (petretiandrea/plugp100#131).
func klapSessionOf(header string) string {
	if strings.Contains(header, "TIMEOUT=") {
		return ""
	}
	return sessionOf(header)
}

func (p *Plug) handshake2(req request) response {
	pending := p.klap.pending
	if pending == nil || klapSessionOf(req.cookie) != pending.cookie {
		return response{status: http.StatusBadRequest}
	}
	v := p.klapVersion()
	auth := v.AuthHash(p.Username, p.Password)
	if subtle.ConstantTimeCompare(req.body, v.ClientHash(pending.local, pending.remote, auth)) != 1 {
		p.stats.LoginFailures++
		return response{status: http.StatusForbidden}
	}
	c := klap.NewCipher(pending.local, pending.remote, auth)
	p.klap = klapState{session: &klapSession{
		cookie: pending.cookie, cipher: c, last: c.InitialSeq(), fresh: true, expires: p.Now().Add(p.SessionLifetime),
	}}
	p.stats.Logins++
	return response{status: http.StatusOK, contentType: contentHTML}
}

func (p *Plug) klapRequest(req request, fault Fault) response {
	refused := response{status: http.StatusForbidden}
	s := p.klap.session
	if s == nil || klapSessionOf(req.cookie) != s.cookie || !p.Now().Before(s.expires) {
		return refused
	}
	text, _ := strings.CutPrefix(req.query, "seq=")
	n, err := strconv.ParseInt(text, 10, 32)
	seq := int32(n)
	if err != nil || !p.acceptable(s, seq) {
		return refused
	}
	plain, err := s.cipher.Open(seq, req.body, true)
	if err != nil {
		return refused
	}
	s.last, s.fresh = seq, false
	c, code := parseCall(plain)
	reply := codeOnly(code)
	if code == 0 {
		reply = p.execute(c, fault)
	}
	frame := s.cipher.Seal(seq, reply)
	if fault.Kind == BadSignature {
		frame[0] ^= 1
	}
	return response{status: http.StatusOK, contentType: contentBinary, body: frame}
}

func (p *Plug) acceptable(s *klapSession, seq int32) bool {
	if p.LenientSequence {
		return s.fresh || seq > s.last
	}
	return seq == s.last+1
}
