// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

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

// TestNoDowngrade replaces a plug that spoke KLAP by one that claims to know
// only securePassthrough.
func TestNoDowngrade(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{Model: simulator.P110})
	d := plugtest.Device(t, p)
	plugtest.Read(t, d)
	p.SetModel(simulator.P110Passthrough)
	plugtest.Fails(t, d, tapo.PassthroughNotAllowed)
	plugtest.Fails(t, d, tapo.PassthroughNotAllowed)
	if s := p.Stats(); s.Logins != 1 || s.LoginFailures != 0 {
		t.Errorf("%d logins, %d failed", s.Logins, s.LoginFailures)
	}
	for _, pinned := range []tapo.Protocol{"", tapo.Passthrough} {
		reconfigured := plugtest.Device(t, p, func(c *tapo.Config) { c.Protocol = pinned })
		reconfigured.Replace(d)
		plugtest.Fails(t, reconfigured, tapo.PassthroughNotAllowed)
	}
	if s := p.Stats(); s.Logins != 1 || s.LoginFailures != 0 {
		t.Errorf("%d logins, %d failed", s.Logins, s.LoginFailures)
	}
	p.SetModel(simulator.P110)
	plugtest.Read(t, d)
}

func TestUpgrade(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{Model: simulator.P110Passthrough})
	d := plugtest.Device(t, p)
	if r := plugtest.Read(t, d); r.Protocol != tapo.Passthrough {
		t.Fatalf("protocol %s", r.Protocol)
	}
	p.SetModel(simulator.P110)
	if r := plugtest.Read(t, d); r.Protocol != tapo.KLAP {
		t.Fatalf("protocol %s", r.Protocol)
	}
	p.SetModel(simulator.P110TPAP)
	for range 2 { // the switch of the app, to and fro
		if r := plugtest.Read(t, d); r.Protocol != tapo.TPAP {
			t.Fatalf("protocol %s", r.Protocol)
		}
		p.SetCompatibility(true)
		if r := plugtest.Read(t, d); r.Protocol != tapo.KLAP {
			t.Fatalf("protocol %s", r.Protocol)
		}
		p.SetCompatibility(false)
	}
}

func TestPinnedProtocol(t *testing.T) {
	pin := func(p tapo.Protocol) func(*tapo.Config) { return func(c *tapo.Config) { c.Protocol = p } }
	klap, old := plugtest.Start(t, &simulator.Plug{}), plugtest.Start(t, &simulator.Plug{Model: simulator.P110Passthrough})
	if got := plugtest.Requests(klap, func() { plugtest.Read(t, plugtest.Device(t, klap, pin(tapo.KLAP))) }); got != 3 {
		t.Errorf("KLAP: %d round trips, want 3", got)
	}
	if got := plugtest.Requests(old, func() { plugtest.Read(t, plugtest.Device(t, old, pin(tapo.Passthrough))) }); got != 3 {
		t.Errorf("securePassthrough: %d round trips, want 3", got)
	}
	newer := plugtest.Start(t, &simulator.Plug{Model: simulator.P110TPAP})
	if got := plugtest.Requests(newer, func() { plugtest.Read(t, plugtest.Device(t, newer, pin(tapo.TPAP))) }); got != 4 {
		t.Errorf("TPAP: %d round trips, want 4", got)
	}
	for _, tc := range []struct {
		plug *simulator.Plug
		pin  tapo.Protocol
		want tapo.Reason
	}{
		{klap, tapo.Passthrough, tapo.Unsupported},
		{klap, tapo.TPAP, tapo.Unsupported},
		{newer, tapo.Passthrough, tapo.Unsupported},
		{newer, tapo.KLAP, tapo.Unsupported},
		{old, tapo.KLAP, tapo.PassthroughNotAllowed},
		{old, tapo.TPAP, tapo.PassthroughNotAllowed},
	} {
		e := plugtest.Failure(t, plugtest.Device(t, tc.plug, pin(tc.pin)), tc.want)
		if !strings.Contains(e.Error(), "pinned") || !strings.Contains(e.Error(), string(tc.pin)) {
			t.Errorf("pinned to %s, a %s plug: %v, %s", tc.pin, tc.plug.Model.Protocol, e, e.Advice)
		}
	}
}

func TestWrongPassword(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P110, simulator.P110Passthrough} {
		p := plugtest.Start(t, &simulator.Plug{Model: m})
		now := time.Now()
		d := plugtest.Device(t, p, func(c *tapo.Config) {
			c.Credentials.Password = "wrong"
			c.Now = func() time.Time { return now }
		})
		e := plugtest.Failure(t, d, tapo.BadCredentials)
		if e.Protocol == "" {
			t.Errorf("%s: %+v", m.Firmware, e)
		}
		if m.Protocol == simulator.KLAP && p.Stats().Steps["/app/handshake2"] != 0 {
			t.Error("handshake2 was sent although the plug proved to know something else")
		}

		// It is tried again after a minute, two, four and so on up to 30.
		for _, minutes := range []int{1, 2, 4, 8, 16, 30, 30} {
			if got := plugtest.Requests(p, func() { plugtest.Fails(t, d, tapo.LoginBackoff) }); got != 0 {
				t.Errorf("%d requests during back-off", got)
			}
			now = now.Add(time.Duration(minutes)*time.Minute - time.Second)
			plugtest.Fails(t, d, tapo.LoginBackoff)
			now = now.Add(time.Second)
			plugtest.Fails(t, d, tapo.BadCredentials)
		}

		// A new configuration with the same credentials does not try either,
		// one with others does.
		same := plugtest.Device(t, p, func(c *tapo.Config) { c.Credentials.Password, c.Now = "wrong", func() time.Time { return now } })
		same.Replace(d)
		plugtest.Fails(t, same, tapo.LoginBackoff)
		corrected := plugtest.Device(t, p)
		corrected.Replace(d)
		plugtest.Read(t, corrected)
	}
}

func TestBackoffEndsWithSuccess(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{})
	now := time.Now()
	d := plugtest.Device(t, p, func(c *tapo.Config) { c.Now = func() time.Time { return now } })
	p.SetCredentials(plugtest.Username, "changed")
	plugtest.Fails(t, d, tapo.BadCredentials)
	now = now.Add(time.Minute)
	plugtest.Fails(t, d, tapo.BadCredentials)
	p.SetCredentials(plugtest.Username, plugtest.Password)
	now = now.Add(2 * time.Minute)
	plugtest.Read(t, d)
	p.SetCredentials(plugtest.Username, "changed")
	plugtest.Fails(t, d, tapo.BadCredentials)
	now = now.Add(time.Minute) // and not four
	plugtest.Fails(t, d, tapo.BadCredentials)
}

func TestLockedPlugIsLeftAlone(t *testing.T) {
	h := newHost(t, map[string]http.HandlerFunc{"/": text(200, locked)})
	now := time.Now()
	d, err := tapo.New(tapo.Config{Address: h.Listener.Addr().String(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		plugtest.Fails(t, d, tapo.Locked)
	}
	if len(h.asked) != 1 {
		t.Errorf("asked %v", h.asked)
	}
	now = now.Add(31 * time.Minute)
	plugtest.Fails(t, d, tapo.Locked)
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
			plugtest.Start(t, p)
			p.SetCredentials(tc.plugUsername, tc.plugPassword)
			d := plugtest.Device(t, p, func(c *tapo.Config) { c.Credentials = tapo.Credentials{Username: tc.username, Password: tc.password} })
			e := plugtest.Failure(t, d, tc.reason)
			if !strings.Contains(e.Advice, tc.advice) {
				t.Errorf("advice %q, want %q in it", e.Advice, tc.advice)
			}
			if s := p.Stats(); s.Steps["/app/handshake1"] != 1 || s.Steps["/app/handshake2"] != 0 {
				t.Errorf("requests %v", s.Steps)
			}
		})
	}
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
