// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
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
		body := make([]byte, max(0, r.ContentLength))
		_, _ = r.Body.Read(body)
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
// something of its own.
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
		{"TPAP", text(200, tpap), text(403, ""), text(200, older), true, tapo.Unsupported, "/ /app/handshake1"},
		{"TPAP, locked", text(200, locked), text(403, ""), text(200, older), true, tapo.Locked, "/"},
		{"KLAP refused, firmware that knows TPAP", text(200, klapMode), text(403, ""), text(200, older), true, tapo.LocalAccessRefused, "/ /app/handshake1"},
		{"KLAP refused, discover 1003", text(200, older), text(403, ""), text(200, older), true, tapo.LocalAccessRefused, "/ /app/handshake1"},
		{"KLAP refused, discover 401", text(401, ""), text(403, ""), text(200, older), true, tapo.LocalAccessRefused, "/ /app/handshake1 /app"},
		{"KLAP refused, discover HTML", text(200, stockPage), text(403, ""), text(200, older), false, tapo.LocalAccessRefused, "/ /app/handshake1 /app"},
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
		{"too many requests", text(429, ""), text(429, ""), text(429, ""), false, tapo.PlugError, "/ /app/handshake1 /app"},
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
			d, err := tapo.New(tapo.Config{Address: h.Listener.Addr().String(), Credentials: credentials, AllowPassthrough: tc.allowed})
			if err != nil {
				t.Fatal(err)
			}
			fails(t, d, tc.want)
			if got := strings.Join(h.asked, " "); got != tc.asked {
				t.Errorf("asked %q, want %q", got, tc.asked)
			}
		})
	}
}

func TestRecognitionOfSimulatedPlugs(t *testing.T) {
	for _, tc := range []struct {
		model  simulator.Model
		allow  bool
		reason tapo.Reason
	}{
		{simulator.P110TPAP, true, tapo.Unsupported},
		{simulator.P110Passthrough, false, tapo.PassthroughNotAllowed},
		{simulator.P100Old, false, tapo.PassthroughNotAllowed},
	} {
		p := start(t, &simulator.Plug{Model: tc.model})
		e := fails(t, device(t, p, func(c *tapo.Config) { c.AllowPassthrough = tc.allow }), tc.reason)
		if tc.reason == tapo.Unsupported && (e.Protocol != tapo.TPAP || !strings.Contains(e.Advice, "Third-Party Compatibility")) {
			t.Errorf("%+v", e)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	plug := start(t, &simulator.Plug{})
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+plug.Addr().String()+r.URL.Path, http.StatusTemporaryRedirect)
	}
	h := newHost(t, map[string]http.HandlerFunc{"/": redirect, "/app/handshake1": redirect, "/app": redirect})
	d, err := tapo.New(tapo.Config{Address: h.Listener.Addr().String(), Credentials: credentials})
	if err != nil {
		t.Fatal(err)
	}
	fails(t, d, tapo.NotAPlug)
	if got := plug.Stats().Requests; got != 0 {
		t.Errorf("%d requests arrived at the redirect's aim", got)
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	for name, cfg := range map[string]tapo.Config{
		"refused": {Address: address},
		"no such name": {Address: "plug.lan", DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "plug.lan", IsNotFound: true}}
		}},
		"no route": {Address: "plug.lan", DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := tapo.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			fails(t, d, tapo.Unreachable)
		})
	}
}

func TestNotHTTP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n"))
			c.Close()
		}
	}()
	d, err := tapo.New(tapo.Config{Address: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	fails(t, d, tapo.NotAPlug)
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
			cfg := tapo.Config{Address: h.Listener.Addr().String(), Credentials: credentials, AllowPassthrough: true}
			change(&cfg)
			d, err := tapo.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			fails(t, d, tapo.PassthroughNotAllowed)
			if asked := fmt.Sprint(h.asked); strings.Contains(asked, "handshake]") || strings.Contains(asked, "app handshake") {
				t.Errorf("asked %s", asked)
			}
		})
	}
}

// TestNoDowngrade replaces a plug that spoke KLAP by one that claims to know
// only securePassthrough.
func TestNoDowngrade(t *testing.T) {
	p := start(t, &simulator.Plug{Model: simulator.P110})
	d := device(t, p)
	read(t, d)
	p.SetModel(simulator.P110Passthrough)
	fails(t, d, tapo.PassthroughNotAllowed)
	fails(t, d, tapo.PassthroughNotAllowed)
	if s := p.Stats(); s.Logins != 1 || s.LoginFailures != 0 {
		t.Errorf("%d logins, %d failed", s.Logins, s.LoginFailures)
	}
	for _, pinned := range []tapo.Protocol{"", tapo.Passthrough} {
		reconfigured := device(t, p, func(c *tapo.Config) { c.Protocol = pinned })
		reconfigured.Adopt(d)
		fails(t, reconfigured, tapo.PassthroughNotAllowed)
	}
	if s := p.Stats(); s.Logins != 1 || s.LoginFailures != 0 {
		t.Errorf("%d logins, %d failed", s.Logins, s.LoginFailures)
	}
	p.SetModel(simulator.P110)
	read(t, d)
}

func TestUpgrade(t *testing.T) {
	p := start(t, &simulator.Plug{Model: simulator.P110Passthrough})
	d := device(t, p)
	if r := read(t, d); r.Protocol != tapo.Passthrough {
		t.Fatalf("protocol %s", r.Protocol)
	}
	p.SetModel(simulator.P110)
	if r := read(t, d); r.Protocol != tapo.KLAP {
		t.Fatalf("protocol %s", r.Protocol)
	}
	p.SetModel(simulator.P110TPAP)
	fails(t, d, tapo.Unsupported)
	p.SetModel(simulator.P110Compatible)
	if r := read(t, d); r.Protocol != tapo.KLAP {
		t.Fatalf("protocol %s", r.Protocol)
	}
}

func TestPinnedProtocol(t *testing.T) {
	pin := func(p tapo.Protocol) func(*tapo.Config) { return func(c *tapo.Config) { c.Protocol = p } }
	klap, old := start(t, &simulator.Plug{}), start(t, &simulator.Plug{Model: simulator.P110Passthrough})
	if got := requests(klap, func() { read(t, device(t, klap, pin(tapo.KLAP))) }); got != 3 {
		t.Errorf("KLAP: %d round trips, want 3", got)
	}
	if got := requests(old, func() { read(t, device(t, old, pin(tapo.Passthrough))) }); got != 3 {
		t.Errorf("securePassthrough: %d round trips, want 3", got)
	}
	fails(t, device(t, klap, pin(tapo.Passthrough)), tapo.Unsupported)
	fails(t, device(t, klap, pin(tapo.TPAP)), tapo.Unsupported)
}

// TestLoginVersions: the password in clear goes only to a plug that refuses it
// hashed, and never to one that has taken it hashed before.
func TestLoginVersions(t *testing.T) {
	p := start(t, &simulator.Plug{Model: simulator.P110Passthrough})
	d := device(t, p)
	read(t, d)
	p.SetCredentials(username, "changed")
	fails(t, d, tapo.BadCredentials)
	if s := p.Stats(); s.ClearLogins != 0 || s.LoginFailures != 1 {
		t.Errorf("version 2: %d logins in clear, %d failed", s.ClearLogins, s.LoginFailures)
	}
	for _, m := range []simulator.Model{simulator.P100Old, simulator.P110Old} {
		p := start(t, &simulator.Plug{Model: m})
		d := device(t, p)
		read(t, d)
		if s := p.Stats(); s.ClearLogins != 1 || s.LoginFailures != 1 || s.Logins != 1 {
			t.Errorf("%s: %+v", m.Firmware, s)
		}
		p.LoseSession()
		read(t, d)
		if s := p.Stats(); s.LoginFailures != 1 || s.Logins != 2 {
			t.Errorf("%s, second login: %+v", m.Firmware, s)
		}
	}
}

// TestPasswordInClear: an error that does not speak of the credentials is no
// reason to send them in clear.
func TestPasswordInClear(t *testing.T) {
	for code, want := range map[int]tapo.Reason{
		9999: tapo.SessionStolen, 1001: tapo.PlugError, 1112: tapo.PlugError, -1: tapo.PlugError, -1001: tapo.PlugError,
		-1301: tapo.PlugError, -2101: tapo.PlugError,
	} {
		p := start(t, &simulator.Plug{Model: simulator.P110Old})
		p.Refuse("login_device", code)
		d := device(t, p)
		fails(t, d, want)
		if s := p.Stats(); s.ClearLogins != 0 {
			t.Errorf("error_code %d: %d logins in clear", code, s.ClearLogins)
		}
		p.Refuse("login_device", 0)
		read(t, d)
	}
}

func TestWrongPassword(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P110, simulator.P110Passthrough} {
		p := start(t, &simulator.Plug{Model: m})
		now := time.Now()
		d := device(t, p, func(c *tapo.Config) {
			c.Credentials.Password = "wrong"
			c.Now = func() time.Time { return now }
		})
		e := fails(t, d, tapo.BadCredentials)
		if e.Protocol == "" {
			t.Errorf("%s: %+v", m.Firmware, e)
		}
		if m.Protocol == simulator.KLAP && p.Stats().Paths["/app/handshake2"] != 0 {
			t.Error("handshake2 was sent although the plug proved to know something else")
		}

		// It is tried again after a minute, two, four and so on up to 30.
		for _, minutes := range []int{1, 2, 4, 8, 16, 30, 30} {
			if got := requests(p, func() { fails(t, d, tapo.LoginBackoff) }); got != 0 {
				t.Errorf("%d requests during back-off", got)
			}
			now = now.Add(time.Duration(minutes)*time.Minute - time.Second)
			fails(t, d, tapo.LoginBackoff)
			now = now.Add(time.Second)
			fails(t, d, tapo.BadCredentials)
		}

		// A new configuration with the same credentials does not try either,
		// one with others does.
		same := device(t, p, func(c *tapo.Config) { c.Credentials.Password, c.Now = "wrong", func() time.Time { return now } })
		same.Adopt(d)
		fails(t, same, tapo.LoginBackoff)
		corrected := device(t, p)
		corrected.Adopt(d)
		read(t, corrected)
	}
}

func TestBackoffEndsWithSuccess(t *testing.T) {
	p := start(t, &simulator.Plug{})
	now := time.Now()
	d := device(t, p, func(c *tapo.Config) { c.Now = func() time.Time { return now } })
	p.SetCredentials(username, "changed")
	fails(t, d, tapo.BadCredentials)
	now = now.Add(time.Minute)
	fails(t, d, tapo.BadCredentials)
	p.SetCredentials(username, password)
	now = now.Add(2 * time.Minute)
	read(t, d)
	p.SetCredentials(username, "changed")
	fails(t, d, tapo.BadCredentials)
	now = now.Add(time.Minute) // and not four
	fails(t, d, tapo.BadCredentials)
}

func TestLockedPlugIsLeftAlone(t *testing.T) {
	h := newHost(t, map[string]http.HandlerFunc{"/": text(200, locked)})
	now := time.Now()
	d, err := tapo.New(tapo.Config{Address: h.Listener.Addr().String(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		fails(t, d, tapo.Locked)
	}
	if len(h.asked) != 1 {
		t.Errorf("asked %v", h.asked)
	}
	now = now.Add(31 * time.Minute)
	fails(t, d, tapo.Locked)
	if len(h.asked) != 2 {
		t.Errorf("asked %v", h.asked)
	}
}

// TestDiagnosis: one reply of the plug is enough to say what is wrong.
func TestDiagnosis(t *testing.T) {
	for _, tc := range []struct {
		name         string
		plugUsername string
		plugPassword string
		version1     bool
		username     string
		password     tapo.Secret
		reason       tapo.Reason
		advice       string
	}{
		{"upper case configured", "user@example.com", "p", false, "User@Example.com", "p", tapo.BadCredentials, "lower case"},
		{"blank after the e-mail", "user@example.com", "p", false, "user@example.com ", "p", tapo.BadCredentials, "blanks around it: remove"},
		{"both", "user@example.com", "p", false, " User@example.com", "p", tapo.BadCredentials, "lower case and without the blanks"},
		{"line end after the password", "user@example.com", "p", false, "user@example.com", "p\n", tapo.BadCredentials, "password in the configuration has blanks"},
		{"everything", "user@example.com", "p", false, " User@example.com", "p ", tapo.BadCredentials, "The e-mail and the password"},
		{"upper case registered", "User@Example.com", "p", false, "user@example.com", "p", tapo.BadCredentials, "very spelling"},
		{"not bound", "", "", false, "user@example.com", "p", tapo.BadCredentials, "not bound"},
		{"set-up credentials", "test@tp-link.net", "test", false, "user@example.com", "p", tapo.BadCredentials, "not bound"},
		{"Kasa's set-up credentials", "kasa@tp-link.net", "kasaSetup", false, "user@example.com", "p", tapo.BadCredentials, "not bound"},
		{"KLAP v1", "user@example.com", "p", true, "user@example.com", "p", tapo.Unsupported, "Kasa dialect"},
		{"KLAP v1, not bound", "test@tp-link.net", "test", true, "user@example.com", "p", tapo.BadCredentials, "not bound"},
		{"wrong password", "user@example.com", "p", false, "user@example.com", "q", tapo.BadCredentials, "TP-Link account that owns the plug"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := &simulator.Plug{KLAPVersion1: tc.version1, Username: "x"}
			start(t, p)
			p.SetCredentials(tc.plugUsername, tc.plugPassword)
			d := device(t, p, func(c *tapo.Config) { c.Credentials = tapo.Credentials{Username: tc.username, Password: tc.password} })
			e := fails(t, d, tc.reason)
			if !strings.Contains(e.Advice, tc.advice) {
				t.Errorf("advice %q, want %q in it", e.Advice, tc.advice)
			}
			if s := p.Stats(); s.Paths["/app/handshake1"] != 1 || s.Paths["/app/handshake2"] != 0 {
				t.Errorf("requests %v", s.Paths)
			}
		})
	}
}

func TestHandshake2Refused(t *testing.T) {
	p := start(t, &simulator.Plug{})
	p.Inject(simulator.Fault{Kind: simulator.Status, Status: 403, Path: "/app/handshake2"})
	d := device(t, p)
	fails(t, d, tapo.LocalAccessRefused)
	p.Heal()
	p.Inject(simulator.Fault{Kind: simulator.Status, Status: 400, Path: "/app/handshake2"})
	fails(t, d, tapo.PlugError)
}

func TestEveryReasonHasAdvice(t *testing.T) {
	all := tapo.Reasons()
	if len(all) != 12 {
		t.Errorf("%d reasons: %v", len(all), all)
	}
	for _, r := range all {
		if len(r.Advice()) < 40 {
			t.Errorf("%s: %q", r, r.Advice())
		}
	}
}
