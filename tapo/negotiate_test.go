// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

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

func TestProtocolFollowsTheFirmware(t *testing.T) {
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
	for range 2 { // the switch of the app, off and on
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
	t.Parallel()
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

// TestAnnouncedTPAPWithKLAP is firmware that announces TPAP and still speaks
// KLAP, as has been reported.
func TestAnnouncedTPAPWithKLAP(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{})
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: p.Addr().String()}).ServeHTTP
	h := newHost(t, map[string]http.HandlerFunc{
		"/": text(200, tpap), "/app/handshake1": proxy, "/app/handshake2": proxy, "/app/request": proxy,
	})
	d, err := tapo.New(tapo.Config{Address: h.Listener.Addr().String(), Credentials: plugtest.Credentials})
	if err != nil {
		t.Fatal(err)
	}
	if r := plugtest.Read(t, d); r.Protocol != tapo.KLAP {
		t.Errorf("protocol %s", r.Protocol)
	}
}

// TestOnlyTheWantedMAC: another plug than the one that is wanted is never shown, and no
// password tried on it that it may count.
func TestOnlyTheWantedMAC(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P110, simulator.P110TPAP, simulator.P304M} {
		p := plugtest.Start(t, &simulator.Plug{Model: m, Outlets: []simulator.Outlet{{}}})
		mac := plugtest.Read(t, plugtest.Device(t, p)).Info.MAC
		logins := p.Stats().Logins
		d := plugtest.Device(t, p, func(c *tapo.Config) { c.MAC = "AA-BB-CC-00-11-22" })
		for range 2 {
			plugtest.Fails(t, d, tapo.NotAPlug)
		}
		if got := p.Stats().Logins - logins; m.Protocol == simulator.TPAP && got != 0 {
			t.Errorf("%s: %d logins", m.Name, got)
		}
		d = plugtest.Device(t, p, func(c *tapo.Config) { c.MAC = mac })
		plugtest.Read(t, d)
	}
	old := plugtest.Start(t, &simulator.Plug{Model: simulator.P110Passthrough})
	d := plugtest.Device(t, old, func(c *tapo.Config) { c.MAC, c.AllowPassthrough = "AA-BB-CC-00-11-22", true })
	plugtest.Fails(t, d, tapo.PassthroughNotAllowed)
	if got := old.Stats().Steps["handshake /app"]; got != 0 {
		t.Errorf("%d handshakes", got)
	}
	if _, err := tapo.New(tapo.Config{Address: "192.0.2.1", MAC: "x"}); err == nil {
		t.Error("any MAC will do")
	}
}

// TestRefusedRegisterAsksAgain: when a login is refused in a way that is not on record, the
// plug is asked again how it wants it.
func TestRefusedRegisterAsksAgain(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Poll(time.Minute)
		h.Plug.SetCompatibility(true)
		h.Plug.Inject(simulator.Fault{Kind: simulator.Code, Code: -1002, Path: "pake_register"})
		if seen := h.Poll(time.Minute); seen[plugtest.OK] != 4 {
			h.Errorf("reasons %v", seen)
		}
	})
}

// TestKLAPIsAWayOut: what a plug has refused over TPAP is no reason not to use
// KLAP, with which a plug counts nothing.
func TestKLAPIsAWayOut(t *testing.T) {
	atHome(t, &simulator.Plug{}, wrong, func(h *plugtest.Home) {
		reloadWrongly(h, 12)
		h.Reload(plugtest.Credentials)
		h.Poll(time.Hour)
		saw(h, "before", 10, 10)
		h.Plug.SetCompatibility(true)
		if seen := h.Poll(time.Hour); seen[tapo.LoginBackoff] > 30*4 || seen[plugtest.OK] < 30*4 {
			h.Errorf("reasons %v", seen)
		}
		saw(h, "after", 10, 10)
	})
}

// TestPinnedToKLAP: such a target does not wait for what TPAP waits for.
func TestPinnedToKLAP(t *testing.T) {
	p := plugtest.Start(t, tpapPlug())
	g := tapo.NewGuard("", nil)
	plugtest.Fails(t, plugtest.Device(t, p, func(c *tapo.Config) { c.Guard, c.Credentials = g, wrong }), tapo.BadCredentials)
	pinned := plugtest.Device(t, p, func(c *tapo.Config) { c.Guard, c.Credentials, c.Protocol = g, wrong, tapo.KLAP })
	plugtest.Fails(t, pinned, tapo.Unsupported)
	p.SetCredentials(plugtest.Username, string(wrong.Password))
	p.SetCompatibility(true)
	plugtest.Read(t, pinned)
}

// TestBarredByAnother: a device that has been reading learns that the plug is
// barred, because of another account, and that it speaks KLAP by now.
func TestBarredByAnother(t *testing.T) {
	p := plugtest.Start(t, tpapPlug())
	g := tapo.NewGuard("", nil)
	ours := plugtest.Device(t, p, func(c *tapo.Config) { c.Guard = g })
	plugtest.Read(t, ours)
	for i := range 11 {
		_, _ = plugtest.Device(t, p, func(c *tapo.Config) { c.Guard, c.Credentials = g, wrongly(i) }).Read(t.Context())
	}
	if r := plugtest.Read(t, ours); r.Protocol != tapo.TPAP { // the session stands
		t.Errorf("read over %s", r.Protocol)
	}
	p.SetCompatibility(true)
	if r := plugtest.Read(t, ours); r.Protocol != tapo.KLAP {
		t.Errorf("read over %s", r.Protocol)
	}
}

// TestOneProofPerRead: an answer that is not on record is no reason to send
// another proof at once.
func TestOneProofPerRead(t *testing.T) {
	p := plugtest.Start(t, tpapPlug())
	d := plugtest.Device(t, p)
	plugtest.Read(t, d)
	p.LoseSession()
	p.Inject(simulator.Fault{Kind: simulator.Code, Code: -1008, Path: "pake_share"})
	plugtest.Fails(t, d, tapo.PlugError)
	if got := p.Stats().Steps["pake_share"]; got != 2 {
		t.Errorf("%d proofs, want 2", got)
	}
}

// TestRegisterHangs: what the plug cannot have counted is tried at each probe.
func TestRegisterHangs(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Kind: simulator.Hang, Path: "pake_register", Times: 20}) // twice in the first probe, and then once, with all of the time
		if seen := h.Poll(15 * time.Minute); seen[tapo.Timeout] != 19 || seen[plugtest.OK] == 0 {
			h.Errorf("reasons %v", seen)
		}
		if s := h.Plug.Stats(); s.Logins != 1 {
			h.Errorf("%d logins", s.Logins)
		}
	})
}

// TestForgottenLogin: a plug that knows of no login under way may have been
// restarted, so it is asked again, but not for ever.
func TestForgottenLogin(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Kind: simulator.LoseSession, Path: "pake_share", Times: 1})
		if reason, _ := h.Probe(); reason != tapo.BadCredentials {
			h.Errorf("reason %s", reason)
		}
		time.Sleep(30 * time.Second)
		if reason, _ := h.Probe(); reason != plugtest.OK {
			h.Errorf("half a minute later: %s", reason)
		}
	})
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Kind: simulator.Code, Code: -1501, Path: "pake_share"})
		h.Poll(6 * time.Hour)
		saw(h, "for six hours", 3, 0)
	})
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
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

// TestSetUpPasscodeRefused: no account has been tried with it.
func TestSetUpPasscodeRefused(t *testing.T) {
	g := tapo.NewGuard("", nil)
	unbound := plugtest.Start(t, &simulator.Plug{Model: simulator.P110TPAP, TPAP: simulator.TPAPOptions{Pake: []int{0}}})
	unbound.Inject(simulator.Fault{Kind: simulator.Code, Code: -2203, Path: "pake_share"})
	plugtest.Fails(t, plugtest.Device(t, unbound, func(c *tapo.Config) { c.Guard, c.Credentials = g, tapo.Credentials{} }), tapo.BadCredentials)
	plugtest.Read(t, plugtest.Device(t, plugtest.Start(t, tpapPlug()), func(c *tapo.Config) { c.Guard = g }))
}
