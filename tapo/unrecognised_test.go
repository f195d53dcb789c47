// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// host is something at an address that answers each path as told; what is not
// told is 404. It notes what it was asked.
type host struct {
	*httptest.Server
	asked []string
}

func newHost(t *testing.T, answers map[string]http.HandlerFunc) *host {
	t.Helper()
	h := &host{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		step := r.URL.Path
		if strings.Contains(string(body), `"handshake"`) {
			step += " handshake"
		}
		h.asked = append(h.asked, step)
		if answer, ok := answers[r.URL.Path]; ok {
			answer(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func text(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

const (
	stockPage = "<html><body><center>200 OK</center></body></html>"
	older     = `{"error_code":1003}`
	someCode  = `{"error_code":-1}`
	tpap      = `{"error_code":0,"result":{"sub_method":"discover","tpap_preferred":true,"mac":"AABBCCDDEEFF","tpap":{"tls":0,"dac":0,"noc":0,"pake":[2],"port":80}}}`
	klapMode  = `{"error_code":0,"result":{"sub_method":"discover","tpap_preferred":false}}`
	locked    = `{"error_code":-2101}`
)

// TestRecognition has a row for every combination of answers that means
// something of its own. The next read then asks the one question that matters, unless
// the failure may pass.
func TestRecognition(t *testing.T) {
	const discover, handshake1, app = "/", "/app/handshake1", "/app"
	for _, tc := range []struct {
		name       string
		discover   http.HandlerFunc
		handshake1 http.HandlerFunc
		app        http.HandlerFunc
		allowed    bool // securePassthrough is allowed
		want       tapo.Reason
		asked      string
	}{
		{"TPAP, and nothing comes of it", text(200, tpap), text(403, ""), text(200, older), true, tapo.BadReply, "/ / /app/handshake1 / / /app/handshake1"},
		{"TPAP, locked", text(200, locked), text(403, ""), text(200, older), true, tapo.Locked, "/"},
		{"KLAP refused, firmware that knows TPAP", text(200, klapMode), text(403, ""), text(200, older), true, tapo.LocalAccessRefused, "/ /app/handshake1"},
		{"KLAP refused, discover 1003", text(200, older), text(403, ""), text(200, older), true, tapo.LocalAccessRefused, "/ /app/handshake1"},
		{"KLAP refused, discover 401", text(401, ""), text(403, ""), text(200, older), true, tapo.LocalAccessRefused, "/ /app/handshake1 /app /"},
		{"KLAP refused, discover HTML", text(200, stockPage), text(403, ""), text(200, older), false, tapo.LocalAccessRefused, "/ /app/handshake1 /app /"},
		{"403 to everything", text(403, ""), text(403, ""), text(403, ""), true, tapo.NotAPlug, "/ /app/handshake1 /app"},
		{"401 to everything", text(401, ""), text(401, ""), text(401, ""), false, tapo.NotAPlug, "/ /app/handshake1 /app"},
		{"401 to handshake1, 1003 to app", text(401, ""), text(401, ""), text(200, older), false, tapo.Unsupported, "/ /app/handshake1 /app"},
		{"HTML to everything", text(200, stockPage), text(200, stockPage), text(200, stockPage), false, tapo.NotAPlug, "/ /app/handshake1 /app"},
		{"HTML to everything, passthrough allowed", text(200, stockPage), text(200, stockPage), text(200, stockPage), true, tapo.NotAPlug, "/ /app/handshake1 /app handshake"},
		{"404 to everything", nil, nil, nil, false, tapo.NotAPlug, "/ /app/handshake1 /app"},
		{"AES, handshake1 404", text(200, stockPage), nil, text(200, someCode), false, tapo.PassthroughNotAllowed, "/ /app/handshake1 /app"},
		{"AES, handshake1 JSON", text(200, older), text(200, someCode), text(200, someCode), false, tapo.PassthroughNotAllowed, "/ /app/handshake1 /app"},
		{"AES, discover HTTP error", text(500, ""), nil, text(200, someCode), false, tapo.PassthroughNotAllowed, "/ /app/handshake1 /app"},
		{"1003 everywhere, KLAP unknown", text(200, older), nil, text(200, older), true, tapo.Unsupported, "/ /app/handshake1 /app handshake"},
		{"knows TPAP, KLAP unknown", text(200, klapMode), nil, text(200, someCode), true, tapo.PassthroughNotAllowed, "/ /app/handshake1 /app"},
		{"too many requests", text(429, ""), text(429, ""), text(429, ""), false, tapo.PlugError, "/"},
		{"500 to everything", text(500, ""), text(500, ""), text(500, ""), false, tapo.PlugError, "/ /app/handshake1 /app"},
		{"a web application's JSON", text(200, `{"ok":true}`), text(200, `{"ok":true}`), text(200, `{"ok":true}`), false, tapo.NotAPlug, "/ /app/handshake1 /app"},
		{"huge front page", text(200, strings.Repeat("x", 1<<20)), nil, nil, false, tapo.NotAPlug, "/ /app/handshake1 /app"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answers := map[string]http.HandlerFunc{}
			for path, answer := range map[string]http.HandlerFunc{discover: tc.discover, handshake1: tc.handshake1, app: tc.app} {
				if answer != nil {
					answers[path] = answer
				}
			}
			h := newHost(t, answers)
			d, err := tapo.New(tapo.Config{Address: h.Listener.Addr().String(), Credentials: plugtest.Credentials, AllowPassthrough: tc.allowed})
			if err != nil {
				t.Fatal(err)
			}
			plugtest.Fails(t, d, tc.want)
			if got := strings.Join(h.asked, " "); got != tc.asked {
				t.Errorf("asked %q, want %q", got, tc.asked)
			}
			switch tc.want {
			case tapo.BadReply, tapo.PlugError, tapo.Locked:
				return
			}
			then := "/app/handshake1"
			if strings.HasSuffix(tc.asked, " handshake") && tc.want == tapo.NotAPlug {
				then = "/app handshake"
			}
			h.asked = nil
			plugtest.Fails(t, d, tc.want)
			if got := strings.Join(h.asked, " "); got != then {
				t.Errorf("the next read asked %q, want %q", got, then)
			}
		})
	}
}

// TestPassthroughPlugsNeedPermission is [TestPassthroughNeedsPermission] for simulated
// plugs.
func TestPassthroughPlugsNeedPermission(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P110Passthrough, simulator.P100Old} {
		p := plugtest.Start(t, &simulator.Plug{Model: m})
		plugtest.Fails(t, plugtest.Device(t, p, func(c *tapo.Config) { c.AllowPassthrough = false }), tapo.PassthroughNotAllowed)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	plug := plugtest.Start(t, &simulator.Plug{})
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+plug.Addr().String()+r.URL.Path, http.StatusTemporaryRedirect)
	}
	h := newHost(t, map[string]http.HandlerFunc{"/": redirect, "/app/handshake1": redirect, "/app": redirect})
	d, err := tapo.New(tapo.Config{Address: h.Listener.Addr().String(), Credentials: plugtest.Credentials})
	if err != nil {
		t.Fatal(err)
	}
	plugtest.Fails(t, d, tapo.NotAPlug)
	if got := plug.Stats().Requests; got != 0 {
		t.Errorf("%d requests arrived at the redirect's aim", got)
	}
}

// TestPassthroughNeedsPermission also looks at what was sent: not even a
// handshake.
func TestPassthroughNeedsPermission(t *testing.T) {
	for name, change := range map[string]func(*tapo.Config){
		"not allowed":            func(c *tapo.Config) { c.AllowPassthrough = false },
		"pinned and not allowed": func(c *tapo.Config) { c.AllowPassthrough, c.Protocol = false, tapo.Passthrough },
		"pinned to KLAP":         func(c *tapo.Config) { c.Protocol = tapo.KLAP },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, map[string]http.HandlerFunc{"/app": text(200, someCode)})
			cfg := tapo.Config{Address: h.Listener.Addr().String(), Credentials: plugtest.Credentials, AllowPassthrough: true}
			change(&cfg)
			d, err := tapo.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			plugtest.Fails(t, d, tapo.PassthroughNotAllowed)
			if asked := fmt.Sprint(h.asked); strings.Contains(asked, "handshake]") || strings.Contains(asked, "app handshake") {
				t.Errorf("asked %s", asked)
			}
		})
	}
}
