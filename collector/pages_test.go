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

func TestConfigPage(t *testing.T) {
	f := newFixture(t, auths+"targets: [{name: a, address: 192.0.2.1}]\n")
	body := f.want(t, "/config", 200, "username: "+username, "<secret>", "name: a", "192.168.0.0/16")
	if strings.Contains(body, password) {
		t.Error("the password is shown")
	}
	newFixture(t, auths+"unlisted: {networks: []}").want(t, "/config", 200, "networks: []")
}
