// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestReloadKeepsBackoff: only corrected credentials try again at once.
func TestReloadKeepsBackoff(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	yaml := func(password, more string) string {
		return fmt.Sprintf("auths: {home: {username: %s, password: %s}}\ntargets: [{name: a, address: '%s'%s}]\n", username, password, p.Addr(), more)
	}
	h := newHome(t, yaml("wrong", ""))
	h.want(t, "a", tapo.BadCredentials)
	for _, more := range []string{"", ", labels: {room: kitchen}", ", allow_passthrough: true"} {
		h.reload(t, yaml("wrong", more))
		h.want(t, "a", tapo.LoginBackoff)
	}
	h.reload(t, yaml(password, ""))
	h.want(t, "a", "")
}

func TestReloadDropsSessions(t *testing.T) {
	a, b := startPlug(t, &simulator.Plug{}), startPlug(t, &simulator.Plug{})
	h := newHome(t, targetYAML(a, b))
	h.want(t, "a", "")
	h.want(t, "b", "")
	h.wantMetrics(t, `tapo_exporter_sessions{protocol="klap"} 2`)
	h.reload(t, targetYAML(a))
	h.wantMetrics(t, `tapo_exporter_sessions{protocol="klap"} 1`)
}

// TestRenamedTarget: a name is not what makes a plug.
func TestRenamedTarget(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	h := newHome(t, targetYAML(p))
	h.want(t, "a", "")
	h.reload(t, strings.Replace(targetYAML(p), "name: a", "name: renamed", 1))
	h.want(t, "renamed", "")
	if p.Stats().Logins != 1 {
		t.Errorf("%d logins", p.Stats().Logins)
	}
}

// TestNoDowngradeThroughReload: other credentials and a permission do not make
// the exporter forget that the plug has spoken KLAP.
func TestNoDowngradeThroughReload(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	h := newHome(t, targetYAML(p))
	h.want(t, "a", "")
	h.reload(t, strings.NewReplacer(password, "changed", "allow_passthrough: false", "allow_passthrough: true").Replace(targetYAML(p)))
	p.SetModel(simulator.P110Passthrough)
	h.want(t, "a", tapo.PassthroughNotAllowed)
	if s := p.Stats(); s.Methods["login_device"]+s.LoginFailures != 0 {
		t.Errorf("%+v", s)
	}
}

// TestReloadDuringARead: the new configuration's read waits for the old one's.
func TestReloadDuringARead(t *testing.T) {
	p := startPlug(t, &simulator.Plug{Latency: 50 * time.Millisecond})
	yaml := func(more string) string {
		return fmt.Sprintf("auths: {home: {username: %s, password: wrong}}\ntargets: [{name: a, address: '%s'%s}]\n", username, p.Addr(), more)
	}
	h := newHome(t, yaml(""))
	target, _ := h.config.Target("a")
	first := make(chan Result)
	go func() { first <- h.Read(t.Context(), target) }()
	for p.Stats().Connections == 0 {
		time.Sleep(time.Millisecond)
	}
	h.reload(t, yaml(", allow_passthrough: true"))
	h.want(t, "a", tapo.LoginBackoff)
	if result := <-first; reasonOf(result) != tapo.BadCredentials {
		t.Errorf("got %+v", result)
	}
	if s := p.Stats(); s.Connections != 1 || s.Steps["/app/handshake1"] != 1 {
		t.Errorf("%+v", s)
	}
}

// TestRemovedTargets: their sessions and connections are closed.
func TestRemovedTargets(t *testing.T) {
	inHome(t, 0, func(t *testing.T, h *home) {
		for _, target := range []string{"a", "b", "c"} {
			h.up(target)
		}
		open := func() (n int) {
			synctest.Wait()
			for _, p := range h.plugs {
				n += p.OpenConnections()
			}
			return n
		}
		if got := open(); got != 3 {
			t.Errorf("%d connections", got)
		}
		h.reload(t, auths)
		if got := open(); got != 0 {
			t.Errorf("%d connections to targets that have been removed", got)
		}
		h.wantMetrics(t, `tapo_exporter_sessions{protocol="klap"} 0`, `tapo_exporter_sessions{protocol="tpap"} 0`)
	})
}

// TestStaleTarget: a probe that found its target before a reload does not bring
// it back.
func TestStaleTarget(t *testing.T) {
	inHome(t, 0, func(t *testing.T, h *home) {
		old, _ := h.config.Target("a")
		h.reload(t, auths)
		if r := h.Read(t.Context(), old); r.Err != nil {
			t.Error(r.Err)
		}
		for k, p := range h.Pool.plugs {
			if p.listed {
				t.Errorf("%s is listed", k.plug)
			}
		}
	})
}

// TestRejectionsOutliveTargets: a target that goes and comes back has not been
// corrected.
func TestRejectionsOutliveTargets(t *testing.T) {
	p := startCountingPlug(t)
	wrong := func(password string) string {
		return "auths: {home: {username: " + username + ", password: " + password + "}}\n"
	}
	targets := "targets: [{name: a, address: '" + p.Addr().String() + "'}]\n"
	h := newHome(t, wrong("wrong")+targets)
	h.want(t, "a", tapo.BadCredentials)
	wantLoginFailures(t, "at first", p, 1)
	for range 3 {
		h.reload(t, wrong("wrong"))
		for range 2 { // the second time without a probe between
			h.reload(t, wrong("wrong")+targets)
			h.reload(t, wrong("wrong"))
		}
		h.reload(t, wrong("wrong")+targets)
		h.want(t, "a", tapo.LoginBackoff)
	}
	wantLoginFailures(t, "removed and added", p, 1)
	for i := range 20 {
		another := wrong(fmt.Sprintf("wrong-%d", i))
		h.reload(t, another)
		h.reload(t, another+targets)
		h.reload(t, another)
		h.reload(t, another+targets)
		if h.up("a") {
			t.Errorf("read with wrong password %d", i)
		}
	}
	wantLoginFailures(t, "20 wrong passwords", p, 10)
	h.reload(t, auths+targets)
	h.want(t, "a", tapo.LoginBackoff)
	if n := len(h.Pool.plugs); n != 1 {
		t.Errorf("%d plugs are remembered", n)
	}
}
