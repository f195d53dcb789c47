// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestServiceDiscovery(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	h := newHome(t, auths+fmt.Sprintf(`
targets:
  - {name: fridge, address: '%s', labels: {room: kitchen, floor: "1"}}
  - {name: other, address: 192.0.2.1}
`, p.Addr()))
	sd := func(https bool) []targetGroup {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, "http://exporter.lan:9782/sd", nil)
		if https {
			r.TLS = &tls.ConnectionState{}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("content type %q", got)
		}
		var groups []targetGroup
		if err := json.Unmarshal(w.Body.Bytes(), &groups); err != nil {
			t.Fatal(err)
		}
		return groups
	}
	fridge := map[string]string{
		"__metrics_path__": "/probe", "__param_target": "fridge", "instance": "fridge", "room": "kitchen", "floor": "1",
		"__meta_tapo_address": p.Addr().String(),
	}
	other := map[string]string{
		"__metrics_path__": "/probe", "__param_target": "other", "instance": "other", "__meta_tapo_address": "192.0.2.1",
	}
	want := []targetGroup{{[]string{"exporter.lan:9782"}, fridge}, {[]string{"exporter.lan:9782"}, other}}
	if diff := cmp.Diff(want, sd(false)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	h.want(t, "/probe?target=fridge", 200, "tapo_up 1")
	info := h.sessions.State(h.store.Current().Targets[0]).Reading.Info
	fridge["__meta_tapo_model"], fridge["__meta_tapo_protocol"] = "P110", "klap"
	fridge["__meta_tapo_mac"], fridge["__meta_tapo_device_id"], fridge["__meta_tapo_firmware"] = info.MAC, info.DeviceID, info.Firmware
	fridge["__scheme__"], other["__scheme__"] = "https", "https"
	if diff := cmp.Diff(want, sd(true)); diff != "" {
		t.Errorf("with TLS, after a read (-want +got)\n%s", diff)
	}
	if body := newHome(t, auths).get("/sd").Body.String(); strings.TrimSpace(body) != "[]" {
		t.Errorf("without targets: %q", body)
	}
}

// TestSDOfOddReplies: every plug of the account is read, whatever it has announced. One
// that cannot be read is no target, and a probe of its address reports why.
func TestSDOfOddReplies(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(102)
	encryption := func(value any) func(map[string]any) {
		return func(reply map[string]any) { reply["mgt_encrypt_schm"].(map[string]any)["encrypt_type"] = value }
	}
	newFirmware := func(reply map[string]any) { // as a TP15 with firmware 1.4.2 (python-kasa/python-kasa#1653)
		encryption("AES")(reply)
		reply["protocol_version"], reply["tpap_preferred"] = 1, false
	}
	for n, p := range []*simulator.Plug{
		{Name: "twin", Model: simulator.P110Compatible, EditReply: newFirmware},
		{Name: "mute", Model: simulator.P110Compatible, EditReply: newFirmware}, // as reported: handshake1 gets the small page
		{Name: "null", EditReply: encryption(nil)},
		{Name: "list", EditReply: encryption([]any{"3"})},
		{Name: "empty", EditReply: encryption("")},
		{Name: "unknown", EditReply: encryption("QUIC")},
		{Name: "old", Model: simulator.P110Passthrough},
		{Name: "reset", EditReply: func(reply map[string]any) { reply["factory_default"], reply["owner"] = true, nil }},
	} {
		h.plug(t, n+1, p)
		if p.Name == "mute" {
			p.Inject(simulator.Fault{Kind: simulator.HTML, Path: "/app/handshake1"})
		}
	}
	want := map[string]string{"1": "klap", "3": "klap", "4": "klap", "5": "klap", "6": "klap"}
	h.start(t, auths+h.discoveryYAML("enabled: true", 8), shortSearches)
	if err := (discovery.Search{Addresses: h.hosts(8), Timeout: searchTime}).Run(t.Context(), h.locator.RecordReply); err != nil {
		t.Fatal(err)
	}
	if got := h.labelsInSD(t); len(got) != 0 {
		t.Errorf("before a read: %v", got)
	}
	h.readUnread(t.Context())
	got := map[string]string{}
	for _, labels := range h.labelsInSD(t) {
		host := strings.TrimPrefix(strings.Split(labels["__meta_tapo_address"], ":")[0], "127.0.102.")
		got[host] = labels["__meta_tapo_protocol"]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for i, reason := range map[int]string{2: "unsupported", 7: "passthrough_not_allowed"} {
		if text := h.probed(h.host(i)); !strings.Contains(text, "tapo_up 0\n") || !strings.Contains(text, reason) {
			t.Errorf("%d: %s", i, text)
		}
		logged := 0
		for line := range strings.Lines(h.log.String()) {
			if strings.Contains(line, "so it is no target yet") && strings.Contains(line, h.host(i)+":") && strings.Contains(line, "reason="+reason) {
				logged++
			}
		}
		if logged != 1 {
			t.Errorf("%d: logged %d times, after two reads", i, logged)
		}
	}
}

func TestDiscoveredTargets(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(80)
	lamp := h.plug(t, 1, &simulator.Plug{Name: "Lamp 💡"})
	tv := h.plug(t, 2, &simulator.Plug{Name: "TV", Model: simulator.P110TPAP})
	old := h.plug(t, 3, &simulator.Plug{Name: "Old", Model: simulator.P110Passthrough})
	foreign := h.plug(t, 4, &simulator.Plug{Name: "Foreign", Username: "somebody@example.com", Password: "else"})
	camera := h.plug(t, 5, &simulator.Plug{Name: "Camera", Model: simulator.Model{Name: "C200", Type: "SMART.IPCAMERA"}})
	robot := h.plug(t, 6, &simulator.Plug{Name: "Robot", Model: simulator.Model{Name: "RV30", Type: "SMART.TAPOROBOVAC"}})
	twin1 := h.plug(t, 7, &simulator.Plug{Name: "Twin", Model: simulator.P115})
	twin2 := h.plug(t, 8, &simulator.Plug{Name: "Twin", Model: simulator.P105})
	listed := h.plug(t, 9, &simulator.Plug{Name: "By address"})
	byMAC := h.plug(t, 10, &simulator.Plug{Name: "By mac", Model: simulator.P304M})
	disguised := h.plug(t, 11, &simulator.Plug{Name: "192.168.1.1"})
	all := []*simulator.Plug{lamp, tv, old, foreign, camera, robot, twin1, twin2, listed, byMAC, disguised}
	macs := map[*simulator.Plug]string{}
	for _, p := range all {
		macs[p] = hometest.MACOf(t, p)
	}
	defaultName := func(model string, p *simulator.Plug) string {
		return model + "-" + strings.ToLower(strings.ReplaceAll(macs[p][9:], "-", ""))
	}
	h.run(t, fmt.Sprintf("%stargets:\n  - {name: listed, address: '%s'}\n  - {name: followed, mac: %s, labels: {room: cellar}}\n%sunlisted: {networks: []}\n",
		auths, listed.Addr(), macs[byMAC], h.discoveryYAML("enabled: true", len(all))))

	want := map[string]*simulator.Plug{
		"listed": listed, "followed": byMAC, "Lamp 💡": lamp, "TV": tv, defaultName("p115", twin1): twin1,
		defaultName("p105", twin2): twin2, defaultName("p110", disguised): disguised,
	}
	hometest.Eventually(t, "all that can be read are in /sd", func() bool { return len(h.labelsInSD(t)) == len(want) })
	for name, labels := range h.labelsInSD(t) {
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
	got := h.labelsInSD(t)["TV"]
	for name, want := range map[string]string{"model": "P110", "firmware": "1.4.6 Build 260312 Rel.101520", "protocol": "tpap", "address": tv.Addr().String()} {
		if got["__meta_tapo_"+name] != want {
			t.Errorf("%s is %q, want %q", name, got["__meta_tapo_"+name], want)
		}
	}

	for _, name := range []string{"Lamp%20💡", defaultName("p110", lamp), lamp.Addr().String(), h.host(1)} {
		if text := h.probed(name); !strings.Contains(text, "tapo_up 1\n") || !strings.Contains(text, macs[lamp]) {
			t.Errorf("%s: %s", name, text)
		}
	}
	if lamp.Stats().Logins != 1 {
		t.Errorf("%d logins", lamp.Stats().Logins)
	}
	if text := h.probed(h.host(10)); !strings.Contains(text, `model="P304M"`) || byMAC.Stats().Logins != 1 {
		t.Errorf("a listed plug by its discovered address, %d logins: %s", byMAC.Stats().Logins, text)
	}
	h.want(t, "/probe?target="+defaultName("p110", old), 200, `tapo_probe_failure_info{reason="passthrough_not_allowed"} 1`)
	for _, name := range []string{"192.168.1.1", h.host(4), foreign.Addr().String(), defaultName("c200", camera), "Foreign"} {
		h.want(t, "/probe?target="+name, 400)
	}
	for _, p := range []*simulator.Plug{foreign, camera, robot} {
		if p.Stats().Requests > 0 {
			t.Errorf("%s was asked: %+v", p.Name, p.Stats())
		}
	}
	if st := old.Stats(); st.Logins+st.LoginFailures+st.ClearLogins > 0 || st.Steps["handshake /app"] > 0 {
		t.Errorf("the old plug has seen %+v", st)
	}
	h.want(t, "/metrics", 200, "\ntapo_exporter_plugs_discovered 6\n", "\ntapo_exporter_targets 2\n")
	if page := h.want(t, "/", 200, "Lamp 💡", "followed"); strings.Contains(page, "/probe?target="+defaultName("p110", old)) {
		t.Error("the page lists a plug that could not be read")
	}

	h.write(t, auths+h.discoveryYAML("enabled: false", 1)+"unlisted: {networks: []}\n")
	h.do("POST", "/-/reload")
	if got := h.labelsInSD(t); len(got) != 0 {
		t.Errorf("after discovery was switched off: %v", got)
	}
	h.want(t, "/probe?target=TV", 400)
}
