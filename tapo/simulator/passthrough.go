// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
)

// passthroughState is the plug's half of securePassthrough. A plug keeps one session:
// a new handshake replaces it.
type passthroughState struct {
	cookie  string
	cipher  *passthrough.Cipher // nil before a handshake, and after a refused login
	token   string              // "" before the login
	expires time.Time
}

func (p *Plug) handlePassthrough(req request, fault Fault) response {
	switch req.path {
	case "/app":
	case "/app/handshake1":
		return jsonCode(codeFailed)
	default:
		return response{status: http.StatusNotFound}
	}
	var msg passthrough.Message
	if !unmarshal(req.body, &msg) {
		return jsonCode(codeJSONDecode)
	}
	switch msg.Method {
	case "handshake":
		return p.passthroughHandshake(msg.Params.Key, fault)
	case "securePassthrough":
		return p.passthroughRequest(req, msg.Params.Request, fault)
	}
	return jsonCode(codeTransportNotAvailable)
}

func (p *Plug) passthroughHandshake(text string, fault Fault) response {
	key, err := passthrough.DecodePublicKey(text)
	if err != nil {
		return jsonCode(codeInvalidPublicKey)
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	// The protocol has no other padding: see passthrough.OpenKey.
	sealed, err := rsa.EncryptPKCS1v15(rand.Reader, key, secret) //nolint:staticcheck // defined by the protocol
	if err != nil {
		return jsonCode(codeInvalidPublicKey)
	}
	c, err := passthrough.NewCipher(secret)
	if err != nil {
		return jsonCode(codeFailed)
	}
	p.passthrough = passthroughState{cookie: newSessionID(), cipher: c, expires: p.Now().Add(p.SessionLifetime)}
	resp := jsonBody(`{"error_code":0,"result":{"key":"` + base64.StdEncoding.EncodeToString(sealed) + `"}}`)
	resp.cookie = p.setCookie(p.passthrough.cookie, fault)
	return resp
}

func (p *Plug) passthroughRequest(req request, sealed string, fault Fault) response {
	s := &p.passthrough
	if s.cipher == nil || sessionOf(req.cookie) != s.cookie || !s.takesToken(req.query) || !p.Now().Before(s.expires) {
		return jsonCode(codeSessionTimeout)
	}
	plain, err := s.cipher.Open(sealed)
	if err != nil {
		return jsonCode(codeAESDecode)
	}
	c, code := parseCall(plain)
	if s.token == "" && c.Method != "login_device" {
		return jsonCode(codeSessionTimeout)
	}
	cipher := s.cipher // a refused login clears it
	inner := codeOnly(code)
	if code == 0 {
		inner = p.passthroughInner(c, fault)
	}
	reply := cipher.Seal(inner)
	switch fault.Kind {
	case BadSignature:
		reply = "!" + reply[1:]
	case PlainReply:
		quoted, _ := json.Marshal(string(inner)) //nolint:errchkjson // a string
		return jsonBody(`{"error_code":0,"result":{"response":` + string(quoted) + `}}`)
	}
	body := append(make([]byte, 0, 64+len(reply)), `{"error_code":0,"result":{"response":"`...)
	body = append(append(body, reply...), `"}}`...)
	return response{status: http.StatusOK, contentType: contentJSON, body: body}
}

// takesToken reports whether a query has the session's token. Before the login a plug
// ignores the query: tp-link-tapo-connect 2.0.15 logs in with token=undefined.
func (s *passthroughState) takesToken(query string) bool {
	values, _ := url.ParseQuery(query)
	return s.token == "" || values.Get("token") == s.token
}

// passthroughInner executes a call that was sealed.
func (p *Plug) passthroughInner(c call, fault Fault) []byte {
	if code, refused := p.refusals[c.Method]; refused && c.Method == "login_device" {
		p.countLogin(c.Params.LoginParams)
		return codeOnly(code)
	}
	if c.Method == "login_device" {
		return p.loginDevice(c.Params.LoginParams)
	}
	return p.execute(c, fault)
}

func (p *Plug) loginDevice(params passthrough.LoginParams) []byte {
	p.countLogin(params)
	if !p.acceptsLogin(params) {
		p.stats.LoginFailures++
		p.passthrough.cipher = nil // the next login needs a new handshake (RaresAil/homebridge-tp-link-tapo#47)
		return codeOnly(codeLogin)
	}
	p.stats.Logins++
	p.passthrough.token = newSessionID()
	return []byte(`{"error_code":0,"result":{"token":"` + p.passthrough.token + `"}}`)
}

// acceptsLogin reports whether the parameters of login_device are those of the account.
// A plug with login version 2 accepts the password in clear as well.
func (p *Plug) acceptsLogin(params passthrough.LoginParams) bool {
	want := passthrough.LoginClear.Params(p.Username, p.Password)
	got := passthrough.LoginParams{Username: params.Username, Password: params.Password}
	if params.Password2 != "" && p.Model.LoginVersion == passthrough.LoginHashed {
		want = passthrough.LoginHashed.Params(p.Username, p.Password)
		got = passthrough.LoginParams{Username: params.Username, Password2: params.Password2}
	} else if p.Model.HashedLoginOnly {
		return false
	}
	got.Password = strings.NewReplacer("\r", "", "\n", "").Replace(got.Password) // base64 of MIME has lines of 76 characters
	return got == want
}

func (p *Plug) countLogin(params passthrough.LoginParams) {
	if params.Password != "" {
		p.stats.ClearLogins++
	}
}
