// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestMovedPlugs: the second probe at the latest reads a plug that has moved,
// whatever has its address now.
func TestMovedPlugs(t *testing.T) {
	for i, tc := range []struct {
		name      string
		model     simulator.Model
		successor *simulator.Plug // what takes the address and the port
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
			h := newSearchableHome(81 + i)
			plug := func(n int) *simulator.Plug { return h.plug(t, n, &simulator.Plug{Name: "Wanderer", Model: tc.model}) }
			before := plug(1)
			address := before.Addr()
			wanted := hometest.MACOf(t, before)
			h.run(t, fmt.Sprintf("%stargets: [{name: a, mac: %s}]\n%s", auths, wanted, h.discoveryYAML("interval: 1h", 3)))
			if text := h.probed("a"); !strings.Contains(text, "tapo_up 1\n") { // it waits for the first search
				t.Fatal(text)
			}
			for move := range 2 { // and again, at once
				before.Close()
				if move == 0 && tc.successor != nil {
					tc.successor.Name, tc.successor.Listen, tc.successor.Discovery = "Successor", address.String(), h.discoveryAddress(1)
					startPlug(t, tc.successor)
				}
				now := plug(2 + move)
				up := 0
				for range 2 {
					text := h.probed("a")
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
				if page := h.get("/").Body.String(); strings.Contains(page, "Successor") {
					t.Error("the page shows another plug")
				}
				before = now
			}
			if got := h.labelsInSD(t)["a"]["__meta_tapo_address"]; got != before.Addr().String() || got == address.String() {
				t.Errorf("address %s", got)
			}
		})
	}
}

// TestAnotherPlugAtTheSameAddress: a plug that took both the address and the port
// of the one that is wanted is never shown.
func TestAnotherPlugAtTheSameAddress(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(90)
	first := h.plug(t, 1, &simulator.Plug{Name: "First"})
	listen, wanted := first.Addr().String(), hometest.MACOf(t, first)
	h.run(t, fmt.Sprintf("%stargets: [{name: a, mac: %s}]\n%s", auths, wanted, h.discoveryYAML("interval: 1h", 2)))
	if text := h.probed("a"); !strings.Contains(text, "tapo_up 1\n") {
		t.Fatal(text)
	}
	first.Close()
	startPlug(t, &simulator.Plug{Name: "Successor", Listen: listen}) // and does not reply to probes
	for range 3 {
		h.want(t, "/probe?target=a", 200, "tapo_up 0\n", `reason="not_a_plug"`)
	}
	if !strings.Contains(h.log.String(), "another plug answers") {
		t.Error("the log does not say what is wrong")
	}
	if page := h.get("/").Body.String(); strings.Contains(page, "Successor") || !strings.Contains(page, "another plug answers") {
		t.Error(page)
	}
	h.plug(t, 2, &simulator.Plug{Name: "First"})
	h.want(t, "/probe?target=a", 200, "tapo_up 1\n", wanted)
}

// TestFalseReplies: something else claims to be a plug that has not moved.
func TestFalseReplies(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(91)
	plug := h.plug(t, 1, &simulator.Plug{Name: "Real"})
	wanted := hometest.MACOf(t, plug)
	impostor, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(h.host(2)), Port: discovery.Port})
	if err != nil {
		t.Fatal(err)
	}
	defer impostor.Close()
	successor := startPlug(t, &simulator.Plug{Name: "Impostor", Model: simulator.P110Passthrough, Listen: h.host(2) + ":0", Username: "x@example.com", Password: "y"})
	go func() {
		packet := make([]byte, 2048)
		for {
			_, from, err := impostor.ReadFromUDPAddrPort(packet)
			if err != nil {
				return
			}
			reply := make([]byte, 16)
			reply = fmt.Appendf(reply, `{"result":{"mac":%q,"device_type":"SMART.TAPOPLUG","mgt_encrypt_schm":{"encrypt_type":"AES","http_port":%d}},"error_code":0}`, wanted, successor.Addr().Port())
			_, _ = impostor.WriteToUDPAddrPort(reply, from)
		}
	}()
	h.run(t, fmt.Sprintf("%stargets: [{name: a, mac: %s, allow_passthrough: true}]\n%s", auths, wanted, h.discoveryYAML("interval: 10s", 2)))
	ups := 0
	for range 4 {
		text := h.probed("a")
		if strings.Contains(text, "tapo_up 1\n") {
			ups++
		} else if ups > 0 {
			t.Errorf("not read any more: %s", text)
		}
	}
	if st := successor.Stats(); ups < 3 || st.Steps["handshake /app"] > 0 {
		t.Errorf("read %d times; the impostor has seen %v", ups, st.Steps)
	}
}

// TestPlugNotFound: a plug that has never replied is searched for.
func TestPlugNotFound(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(92)
	h.run(t, fmt.Sprintf("%stargets: [{name: a, mac: AA-BB-CC-00-11-22}]\n%s", auths, h.discoveryYAML("interval: 1h", 1)))
	start := time.Now()
	h.want(t, "/probe?target=a", 200, "tapo_up 0\n", `reason="unreachable"`)
	if took := time.Since(start); took < searchTime/2 {
		t.Errorf("given up after %v", took)
	}
	h.want(t, "/", 200, "unreachable", "AA-BB-CC-00-11-22")
	h.want(t, "/probe?target=a&auth=home", 200)
	h.want(t, "/metrics", 200, "tapo_exporter_plugs_discovered 0\n")
	if !strings.Contains(h.log.String(), "No plug has replied to the search") || strings.Count(h.log.String(), "No plug has replied") != 1 {
		t.Error("the log does not say so once")
	}
	newHome(t, auths+"discovery: {enabled: true}").want(t, "/", 200, "No plug has been found and read yet")
}

// TestAddressIsNotFollowed: who asks for an address gets what is there.
func TestAddressIsNotFollowed(t *testing.T) {
	t.Parallel()
	for i, kind := range []string{"listed", "found"} {
		h := newSearchableHome(93 + i)
		plug := h.plug(t, 1, &simulator.Plug{Name: "Wanderer"})
		wanted := hometest.MACOf(t, plug)
		yaml := fmt.Sprintf("%stargets: [{name: a, mac: %s}]\n%s", auths, wanted, h.discoveryYAML("interval: 1h", 3))
		if kind == "found" {
			yaml = auths + h.discoveryYAML("enabled: true, interval: 1h", 3)
		}
		h.run(t, yaml)
		hometest.Eventually(t, "found", func() bool { return strings.Contains(h.probed(h.host(1)), wanted) })
		plug.Close()
		h.plug(t, 1, &simulator.Plug{Name: "Successor"})
		h.plug(t, 2, &simulator.Plug{Name: "Wanderer"})
		if text := h.probed(h.host(1)); strings.Contains(text, wanted) {
			t.Errorf("%s: asked for the address of the successor: %s", kind, text)
		}
	}
}

// TestRefusalAtAFalseAddress: what has refused a login under a plug's MAC is not
// the plug.
func TestRefusalAtAFalseAddress(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(95)
	options := simulator.TPAPOptions{Iterations: 10}
	impostor := h.plug(t, 1, &simulator.Plug{Name: "Real", Model: simulator.P110TPAP, Username: "x@example.com", Password: "impostor", TPAP: options})
	wanted := hometest.MACOf(t, impostor)
	h.run(t, fmt.Sprintf("%stargets: [{name: a, mac: %s}]\n%s", auths, wanted, h.discoveryYAML("interval: 1h", 2)))
	h.probed("a")
	impostor.Close()
	h.plug(t, 2, &simulator.Plug{Name: "Real", Model: simulator.P110TPAP, TPAP: options})
	hometest.Eventually(t, "the plug is read at its own address", func() bool { return strings.Contains(h.probed("a"), "tapo_up 1\n") })
}

// TestMoveDuringBackoff: a plug that comes back late is found although what has
// its address now has refused our login.
func TestMoveDuringBackoff(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(96)
	before := h.plug(t, 1, &simulator.Plug{Name: "Wanderer"})
	h.run(t, fmt.Sprintf("%stargets: [{name: a, mac: %s}]\n%s", auths, hometest.MACOf(t, before), h.discoveryYAML("interval: 1h", 3)))
	h.probed("a")
	listen := before.Addr().String()
	before.Close()
	startPlug(t, &simulator.Plug{Name: "Successor", Listen: listen, Username: "x@example.com", Password: "y"})
	h.probed("a")
	h.probed("a")
	h.plug(t, 2, &simulator.Plug{Name: "Wanderer"})
	h.probed("a")
	h.want(t, "/probe?target=a", 200, "tapo_up 1\n")
}

// TestMovedFromSilence: what has the plug's address now accepts connections and
// says nothing, so that the first probe ends before its read.
func TestMovedFromSilence(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(99)
	before := h.plug(t, 1, &simulator.Plug{Name: "Wanderer"})
	h.run(t, fmt.Sprintf("%stargets: [{name: a, mac: %s}]\n%s", auths, hometest.MACOf(t, before), h.discoveryYAML("interval: 1h", 3)))
	h.probed("a")
	listen := before.Addr().String()
	before.Close()
	startPlug(t, &simulator.Plug{Name: "Successor", Listen: listen}).Inject(simulator.Fault{Kind: simulator.Hang})
	h.plug(t, 2, &simulator.Plug{Name: "Wanderer"})
	for i, want := range []string{"tapo_up 0\n", "tapo_up 1\n"} {
		if text := h.get("/probe?target=a", timeoutHeader, "1.5").Body.String(); !strings.Contains(text, want) {
			t.Errorf("probe %d: %s", i, text)
		}
	}
}

// TestFactoryResetPlug: a plug that somebody has reset belongs to nobody. Discovery does
// not serve it. A probe of one that is listed reports what is wrong; nothing of it is
// believed.
func TestFactoryResetPlug(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(98)
	listed := "targets:\n"
	for i, m := range []simulator.Model{simulator.P110, simulator.P110TPAP} {
		plug := &simulator.Plug{
			Model: m, Name: fmt.Sprint("New ", i), Listen: h.host(i+1) + ":0", Discovery: h.discoveryAddress(i + 1),
			TPAP: simulator.TPAPOptions{Iterations: 10, Pake: []int{0}},
		}
		if err := plug.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(plug.Close)
		listed += fmt.Sprintf("  - {name: listed%d, mac: %s}\n", i, hometest.MACOf(t, plug))
	}
	h.plug(t, 3, &simulator.Plug{Name: "Mine"})
	h.run(t, auths+h.discoveryYAML("enabled: true", 3))
	hometest.Eventually(t, "all are found", func() bool { return strings.Count(h.log.String(), "Plug discovered") == 3 })
	hometest.Eventually(t, "one is a target", func() bool { return h.labelsInSD(t)["Mine"] != nil })
	if targets := h.labelsInSD(t); len(targets) != 1 {
		t.Errorf("targets %v", targets)
	}
	h.want(t, "/metrics", 200, "\ntapo_exporter_plugs_discovered 1\n")
	h.want(t, "/probe?target="+h.host(1), 400)
	h.write(t, auths+listed+h.discoveryYAML("enabled: true", 3))
	h.do("POST", "/-/reload")
	for _, name := range []string{"listed0", "listed1"} {
		text := h.probed(name)
		if !strings.Contains(text, `reason="bad_credentials"`) || strings.Contains(text, "tapo_outlet") {
			t.Errorf("%s: %s", name, text)
		}
	}
	h.want(t, "/", 200, "The plug is not bound to your account")
}
