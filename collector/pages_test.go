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
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestServiceDiscovery(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	f := newFixture(t, auths+fmt.Sprintf(`
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
		f.ServeHTTP(w, r)
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
	f.want(t, "/probe?target=fridge", 200, "tapo_up 1")
	info := f.sessions.State(f.store.Current().Targets[0]).Reading.Info
	fridge["__meta_tapo_model"], fridge["__meta_tapo_protocol"] = "P110", "klap"
	fridge["__meta_tapo_mac"], fridge["__meta_tapo_device_id"], fridge["__meta_tapo_firmware"] = info.MAC, info.DeviceID, info.Firmware
	fridge["__scheme__"], other["__scheme__"] = "https", "https"
	if diff := cmp.Diff(want, sd(true)); diff != "" {
		t.Errorf("with TLS, after a read (-want +got)\n%s", diff)
	}
	if body := newFixture(t, auths).get("/sd").Body.String(); strings.TrimSpace(body) != "[]" {
		t.Errorf("without targets: %q", body)
	}
}

func TestLandingPage(t *testing.T) {
	p := startPlug(t, &simulator.Plug{Load: simulator.Constant(60)})
	f := newFixture(t, targetYAML(p)+"  - {name: '<script>alert(1)</script>', address: '127.0.0.1:1'}\n")
	f.want(t, "/", 200, "not read yet", "/sd", "/config", "/metrics")
	f.want(t, "/probe?target=a", 200)
	f.want(t, "/probe?target=%3Cscript%3Ealert(1)%3C/script%3E", 200, "tapo_up 0")
	body := f.want(t, "/", 200, "60.0 W", "kWh", "P110", "klap", "/probes/1", "unreachable", "Check that the plug has power")
	if strings.Contains(body, "<script>") {
		t.Error("a target's name became markup")
	}
	if csp := f.get("/").Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("policy %q", csp)
	}
	before := p.Stats().Requests
	f.want(t, "/", 200)
	if p.Stats().Requests != before {
		t.Error("the page asked the plug")
	}
	newFixture(t, auths).want(t, "/", 200, "No targets are listed")
	newFixture(t, auths+"targets: [{name: a, address: 192.0.2.1, verify_replies: false}]").want(t, "/", 200, "verify_replies: false")
}

func TestProbePages(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	f := newFixture(t, targetYAML(p), func(o *Options) { o.HistoryLimit = 3 })
	for range 5 {
		f.want(t, "/probe?target=a", 200)
	}
	f.want(t, "/probes/5", 200, "Probe 5 of a", "step=request", "The plug was read")
	f.want(t, "/probes/3", 200)
	for _, gone := range []string{"2", "1", "0", "6", "x", "-1", "99999999999999999999"} {
		f.want(t, "/probes/"+gone, 404, "--history.limit")
	}
	p.SetCredentials("x", "y")
	f.want(t, "/probe?target=a", 200)
	f.want(t, "/probes/6", 200, "bad_credentials", "step=handshake1")
	f.want(t, "/probe?target=a", 200)
	f.want(t, "/probes/7", 200, "login_backoff", "not tried again before")
	f.want(t, "/probe?target=a", 200)
	f.want(t, "/probes/8", 200, "login_backoff")

	none := newFixture(t, targetYAML(p), func(o *Options) { o.HistoryLimit = 0 })
	none.want(t, "/probe?target=a", 200)
	none.want(t, "/", 200, "None yet")
	none.want(t, "/probes/1", 404)
}

func TestConfigPage(t *testing.T) {
	f := newFixture(t, auths+"targets: [{name: a, address: 192.0.2.1}]\n")
	body := f.want(t, "/config", 200, "username: "+username, "<secret>", "name: a", "192.168.0.0/16")
	if strings.Contains(body, password) {
		t.Error("the password is shown")
	}
	newFixture(t, auths+"unlisted: {networks: []}").want(t, "/config", 200, "networks: []")
}

func TestHistoryIsSafeForConcurrentUse(t *testing.T) {
	h := newHistory(5)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				h.add(Probe{Target: "x", Took: time.Second})
				h.recent()
				h.find(3)
			}
		})
	}
	group.Wait()
	recent := h.recent()
	if len(recent) != 5 || recent[0].ID != 200 || recent[4].ID != 196 {
		t.Errorf("%+v", recent)
	}
}
