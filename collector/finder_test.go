// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestDiscoveredTargets(t *testing.T) {
	t.Parallel()
	s := newStreet(t, 80)
	lamp := s.plug(1, &simulator.Plug{Name: "Lamp 💡"})
	tv := s.plug(2, &simulator.Plug{Name: "TV", Model: simulator.P110TPAP})
	old := s.plug(3, &simulator.Plug{Name: "Old", Model: simulator.P110Passthrough})
	foreign := s.plug(4, &simulator.Plug{Name: "Foreign", Username: "somebody@example.com", Password: "else"})
	camera := s.plug(5, &simulator.Plug{Name: "Camera", Model: simulator.Model{Name: "C200", Type: "SMART.IPCAMERA"}})
	robot := s.plug(6, &simulator.Plug{Name: "Robot", Model: simulator.Model{Name: "RV30", Type: "SMART.TAPOROBOVAC"}})
	twin1 := s.plug(7, &simulator.Plug{Name: "Twin", Model: simulator.P115})
	twin2 := s.plug(8, &simulator.Plug{Name: "Twin", Model: simulator.P105})
	listed := s.plug(9, &simulator.Plug{Name: "By address"})
	byMAC := s.plug(10, &simulator.Plug{Name: "By mac", Model: simulator.P304M})
	disguised := s.plug(11, &simulator.Plug{Name: "192.168.1.1"})
	all := []*simulator.Plug{lamp, tv, old, foreign, camera, robot, twin1, twin2, listed, byMAC, disguised}
	macs := map[*simulator.Plug]string{}
	for _, p := range all {
		macs[p] = mac(t, p)
	}
	steady := func(model string, p *simulator.Plug) string {
		return model + "-" + strings.ToLower(strings.ReplaceAll(macs[p][9:], "-", ""))
	}
	f := run(t, fmt.Sprintf("%stargets:\n  - {name: listed, address: '%s'}\n  - {name: followed, mac: %s, labels: {room: cellar}}\n%sunlisted: {networks: []}\n",
		auths, listed.Addr(), macs[byMAC], s.yaml("enabled: true", len(all))))

	want := map[string]*simulator.Plug{
		"listed": listed, "followed": byMAC, "Lamp 💡": lamp, "TV": tv, steady("p110", old): old, steady("p115", twin1): twin1,
		steady("p105", twin2): twin2, steady("p110", disguised): disguised,
	}
	eventually(t, "all are in /sd", func() bool { return len(f.sd(t)) == len(want) })
	for name, labels := range f.sd(t) {
		if want := steady("p110", lamp); labels["__meta_tapo_address"] == lamp.Addr().String() && name != want {
			t.Errorf("first called %q, want %q", name, want)
		}
	}
	eventually(t, "names are known", func() bool { return f.sd(t)["TV"] != nil && f.sd(t)["Lamp 💡"] != nil })
	for name, labels := range f.sd(t) {
		p := want[name]
		if p == nil {
			t.Errorf("%q is none of them", name)
			continue
		}
		if labels["__param_target"] != name || labels["__meta_tapo_address"] != p.Addr().String() ||
			name != "listed" && labels["__meta_tapo_mac"] != macs[p] || name == "followed" && labels["room"] != "cellar" {
			t.Errorf("%q: %v", name, labels)
		}
	}
	got := f.sd(t)["TV"]
	for name, want := range map[string]string{"model": "P110", "firmware": "1.4.6 Build 260312 Rel.101520", "protocol": "tpap", "address": tv.Addr().String()} {
		if got["__meta_tapo_"+name] != want {
			t.Errorf("%s is %q, want %q", name, got["__meta_tapo_"+name], want)
		}
	}

	for _, name := range []string{"Lamp%20💡", steady("p110", lamp), lamp.Addr().String(), s.host(1)} {
		if text := f.probed(name); !strings.Contains(text, "tapo_up 1\n") || !strings.Contains(text, macs[lamp]) {
			t.Errorf("%s: %s", name, text)
		}
	}
	if lamp.Stats().Logins != 1 {
		t.Errorf("%d logins", lamp.Stats().Logins)
	}
	if text := f.probed(s.host(10)); !strings.Contains(text, `model="P304M"`) || byMAC.Stats().Logins != 1 {
		t.Errorf("a listed plug by its discovered address, %d logins: %s", byMAC.Stats().Logins, text)
	}
	f.want(t, "/probe?target="+steady("p110", old), 200, `tapo_probe_failure_info{reason="passthrough_not_allowed"} 1`)
	for _, name := range []string{"192.168.1.1", s.host(4), foreign.Addr().String(), steady("c200", camera), "Foreign"} {
		f.want(t, "/probe?target="+name, 400)
	}
	for _, p := range []*simulator.Plug{foreign, camera, robot} {
		if p.Stats().Requests > 0 {
			t.Errorf("%s was asked: %+v", p.Name, p.Stats())
		}
	}
	if st := old.Stats(); st.Logins+st.LoginFailures+st.ClearLogins > 0 || st.Steps["handshake /app"] > 0 {
		t.Errorf("the old plug has seen %+v", st)
	}
	f.want(t, "/metrics", 200, "\ntapo_exporter_plugs_discovered 7\n", "\ntapo_exporter_targets 2\n")
	f.want(t, "/", 200, "Lamp 💡", "followed", "passthrough_not_allowed")

	f.write(t, auths+s.yaml("enabled: false", 1)+"unlisted: {networks: []}\n")
	f.do("POST", "/-/reload")
	if got := f.sd(t); len(got) != 0 {
		t.Errorf("after discovery was switched off: %v", got)
	}
	f.want(t, "/probe?target=TV", 400)
}

// TestMovedPlugs: a plug is found again by the second probe at the latest,
// whoever has its address now.
func TestMovedPlugs(t *testing.T) {
	for i, tc := range []struct {
		name  string
		model simulator.Model
		heir  *simulator.Plug // what takes the address and the port
	}{
		{"nobody", simulator.P110, nil},
		{"nobody, TPAP", simulator.P110TPAP, nil},
		{"another plug of ours", simulator.P110, &simulator.Plug{}},
		{"another plug of ours, TPAP", simulator.P110TPAP, &simulator.Plug{Model: simulator.P110TPAP}},
		{"somebody else's plug", simulator.P110, &simulator.Plug{Username: "somebody@example.com", Password: "else"}},
		{"somebody else's plug, TPAP", simulator.P110, &simulator.Plug{Model: simulator.P110TPAP, Username: "somebody@example.com", Password: "else"}},
		{"an old plug", simulator.P304M, &simulator.Plug{Model: simulator.P100Old}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newStreet(t, 81+i)
			plug := func(n int) *simulator.Plug { return s.plug(n, &simulator.Plug{Name: "Wanderer", Model: tc.model}) }
			before := plug(1)
			address := before.Addr()
			wanted := mac(t, before)
			f := run(t, fmt.Sprintf("%stargets: [{name: a, mac: %s}]\n%s", auths, wanted, s.yaml("interval: 1h", 3)))
			if text := f.probed("a"); !strings.Contains(text, "tapo_up 1\n") { // it waits for the first search
				t.Fatal(text)
			}
			for move := range 2 { // and again, at once
				before.Close()
				if move == 0 && tc.heir != nil {
					tc.heir.Name, tc.heir.Listen, tc.heir.Discovery = "Heir", address.String(), fmt.Sprintf("%s:%d", s.host(1), s.port)
					startPlug(t, tc.heir)
				}
				now := plug(2 + move)
				up := 0
				for range 2 {
					text := f.probed("a")
					if strings.Contains(text, "tapo_up 1\n") {
						up++
						if !strings.Contains(text, wanted) {
							t.Errorf("another plug: %s", text)
						}
					} else if up > 0 || strings.Contains(text, "tapo_power_watts") {
						t.Error(text)
					}
				}
				if up == 0 {
					t.Errorf("move %d: not found again", move)
				}
				if page := f.get("/").Body.String(); strings.Contains(page, "Heir") {
					t.Error("the page shows another plug")
				}
				before = now
			}
			if got := f.sd(t)["a"]["__meta_tapo_address"]; got != before.Addr().String() || got == address.String() {
				t.Errorf("address %s", got)
			}
		})
	}
}

// TestHeirAtTheSamePort: a plug that took both the address and the port of the
// one that is wanted is never shown.
func TestHeirAtTheSamePort(t *testing.T) {
	t.Parallel()
	s := newStreet(t, 90)
	first := s.plug(1, &simulator.Plug{Name: "First"})
	listen, wanted := first.Addr().String(), mac(t, first)
	f := run(t, fmt.Sprintf("%stargets: [{name: a, mac: %s}]\n%s", auths, wanted, s.yaml("interval: 1h", 2)))
	if text := f.probed("a"); !strings.Contains(text, "tapo_up 1\n") {
		t.Fatal(text)
	}
	first.Close()
	startPlug(t, &simulator.Plug{Name: "Heir", Listen: listen}) // and does not reply to probes
	for range 3 {
		f.want(t, "/probe?target=a", 200, "tapo_up 0\n", `reason="not_a_plug"`)
	}
	if !strings.Contains(f.log.String(), "another plug answers") {
		t.Error("the log does not say what is wrong")
	}
	if page := f.get("/").Body.String(); strings.Contains(page, "Heir") || !strings.Contains(page, "another plug answers") {
		t.Error(page)
	}
	s.plug(2, &simulator.Plug{Name: "First"})
	f.want(t, "/probe?target=a", 200, "tapo_up 1\n", wanted)
}

// TestLiars claim to be a plug that is in its place.
func TestLiars(t *testing.T) {
	t.Parallel()
	s := newStreet(t, 91)
	plug := s.plug(1, &simulator.Plug{Name: "Real"})
	wanted := mac(t, plug)
	liar, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(s.host(2)), Port: s.port})
	if err != nil {
		t.Fatal(err)
	}
	defer liar.Close()
	heir := startPlug(t, &simulator.Plug{Name: "Liar", Model: simulator.P110Passthrough, Listen: s.host(2) + ":0", Username: "x@example.com", Password: "y"})
	go func() {
		packet := make([]byte, 2048)
		for {
			_, from, err := liar.ReadFromUDPAddrPort(packet)
			if err != nil {
				return
			}
			reply := make([]byte, 16)
			reply = fmt.Appendf(reply, `{"result":{"mac":%q,"device_type":"SMART.TAPOPLUG","mgt_encrypt_schm":{"encrypt_type":"AES","http_port":%d}},"error_code":0}`, wanted, heir.Addr().Port())
			_, _ = liar.WriteToUDPAddrPort(reply, from)
		}
	}()
	f := run(t, fmt.Sprintf("%stargets: [{name: a, mac: %s, allow_passthrough: true}]\n%s", auths, wanted, s.yaml("interval: 10s", 2)))
	ups := 0
	for range 4 {
		text := f.probed("a")
		if strings.Contains(text, "tapo_up 1\n") {
			ups++
		} else if ups > 0 {
			t.Errorf("lost after it was found: %s", text)
		}
	}
	if st := heir.Stats(); ups < 3 || st.Steps["handshake /app"] > 0 {
		t.Errorf("read %d times; the liar has seen %v", ups, st.Steps)
	}
}

// TestLostPlug: a plug that nobody has found says so, and is searched for.
func TestLostPlug(t *testing.T) {
	t.Parallel()
	s := newStreet(t, 92)
	f := run(t, fmt.Sprintf("%stargets: [{name: a, mac: AA-BB-CC-00-11-22}]\n%s", auths, s.yaml("interval: 1h", 1)))
	start := time.Now()
	f.want(t, "/probe?target=a", 200, "tapo_up 0\n", `reason="unreachable"`)
	if took := time.Since(start); took < f.finder.time/2 {
		t.Errorf("given up after %v", took)
	}
	f.want(t, "/", 200, "unreachable", "AA-BB-CC-00-11-22")
	f.want(t, "/probe?target=a&auth=home", 200)
	f.want(t, "/metrics", 200, "tapo_exporter_plugs_discovered 0\n")
	if !strings.Contains(f.log.String(), "No plug has replied to the search") || strings.Count(f.log.String(), "No plug has replied") != 1 {
		t.Error("the log does not say so once")
	}
	newFixture(t, auths+"discovery: {enabled: true}").want(t, "/", 200, "No plug has been found yet")
}
