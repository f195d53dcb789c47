// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestHealth(t *testing.T) {
	f := newFixture(t, auths)
	f.want(t, "/-/healthy", 200, "Healthy")
	f.want(t, "/-/ready", 200, "Ready")
	f.want(t, "/nowhere", 404)
	f.want(t, "/debug/pprof/", 404)
	if w := f.do(http.MethodPost, "/probe?target=a"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /probe: %d", w.Code)
	}
}

func TestReload(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	f := newFixture(t, auths)
	f.want(t, "/probe?target=a", 400)

	f.write(t, targetYAML(p))
	if w := f.do(http.MethodGet, "/-/reload"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
	if w := f.do(http.MethodPost, "/-/reload", "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden {
		t.Errorf("from another site: %d", w.Code)
	}
	f.want(t, "/probe?target=a", 400)
	if w := f.do(http.MethodPost, "/-/reload"); w.Code != http.StatusOK {
		t.Errorf("POST: %d %s", w.Code, w.Body)
	}
	f.want(t, "/probe?target=a", 200, "tapo_up 1")
	f.want(t, "/metrics", 200, "tapo_exporter_config_last_reload_successful 1", "tapo_exporter_targets 1")

	f.write(t, "auths: {home: {username: x, passwort: hunter2}}")
	w := f.do(http.MethodPost, "/-/reload")
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "passwort: no such setting") || strings.Contains(w.Body.String(), "hunter2") {
		t.Errorf("bad file: %d %s", w.Code, w.Body)
	}
	f.want(t, "/probe?target=a", 200, "tapo_up 1")
	f.want(t, "/metrics", 200, "tapo_exporter_config_last_reload_successful 0", "tapo_exporter_targets 1")
	if p.Stats().Logins != 1 {
		t.Errorf("%d logins: the session did not outlive the reload", p.Stats().Logins)
	}
}
