// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestManagementEndpoints(t *testing.T) {
	h := newHome(t, auths)
	h.want(t, "/-/healthy", 200, "Healthy")
	h.want(t, "/-/ready", 200, "Ready")
	h.want(t, "/nowhere", 404)
	h.want(t, "/debug/pprof/", 404)
	if w := h.do(http.MethodPost, "/probe?target=a"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /probe: %d", w.Code)
	}
}

func TestReload(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	h := newHome(t, auths)
	h.want(t, "/probe?target=a", 400)

	h.write(t, targetYAML(p))
	if w := h.do(http.MethodGet, "/-/reload"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
	if w := h.do(http.MethodPost, "/-/reload", "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden {
		t.Errorf("from another site: %d", w.Code)
	}
	h.want(t, "/probe?target=a", 400)
	if w := h.do(http.MethodPost, "/-/reload"); w.Code != http.StatusOK {
		t.Errorf("POST: %d %s", w.Code, w.Body)
	}
	h.want(t, "/probe?target=a", 200, "tapo_up 1")
	h.want(t, "/metrics", 200, "tapo_exporter_config_last_reload_successful 1", "tapo_exporter_targets 1")

	h.write(t, "auths: {home: {username: x, passwort: hunter2}}")
	w := h.do(http.MethodPost, "/-/reload")
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "no such setting: an account has") || strings.Contains(w.Body.String(), "hunter2") {
		t.Errorf("bad file: %d %s", w.Code, w.Body)
	}
	h.want(t, "/probe?target=a", 200, "tapo_up 1")
	h.want(t, "/metrics", 200, "tapo_exporter_config_last_reload_successful 0", "tapo_exporter_targets 1")
	if p.Stats().Logins != 1 {
		t.Errorf("%d logins: the session did not outlive the reload", p.Stats().Logins)
	}
}

func TestExporterMetricsAreClean(t *testing.T) {
	h := newHome(t, auths)
	text := expose(t, gathererOf(t, h.sessions, h.store, h.locator))
	for _, name := range []string{
		"tapo_exporter_sessions", "tapo_exporter_targets", "tapo_exporter_logins_total", "tapo_exporter_sessions_lost_total",
		"tapo_exporter_plug_requests_total", "tapo_exporter_plug_request_duration_seconds", "tapo_exporter_probes_shared_total",
		"tapo_exporter_config_last_reload_successful", "tapo_exporter_config_last_reload_success_timestamp_seconds",
		"tapo_exporter_plugs_discovered",
	} {
		if !strings.Contains(text, "# TYPE "+name+" ") {
			t.Errorf("%s is missing", name)
		}
	}
	h.want(t, "/metrics", 200, "tapo_exporter_build_info{", "go_goroutines", "process_start_time_seconds")
}

// TestRejectionsFile: whether it can be written is a metric, and a notice on the page.
func TestRejectionsFile(t *testing.T) {
	var failure error
	h := newHome(t, auths, func(o *Options) { o.RejectionsErr = func() error { return failure } })
	expose(t, gathererOf(t, rejectionsWritable(h.rejectionsErr)))
	const notice = "Refused logins cannot be stored"
	for _, failure = range []error{nil, errors.New("no <space> left"), nil} {
		want := "\ntapo_exporter_rejections_file_writable 1\n"
		if failure != nil {
			want = "\ntapo_exporter_rejections_file_writable 0\n"
			h.want(t, "/", 200, notice, "no &lt;space&gt; left", "--rejections.file")
		} else if page := h.get("/").Body.String(); strings.Contains(page, notice) {
			t.Errorf("a notice of nothing: %s", page)
		}
		h.want(t, "/metrics", 200, want)
	}
	if forgetful := newHome(t, auths).get("/metrics").Body.String(); strings.Contains(forgetful, "rejections") {
		t.Errorf("without a file:\n%s", forgetful)
	}
}

// TestReloadMetrics counts what the configuration does.
func TestReloadMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const targets = "targets: [{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2}, {name: c, address: 192.0.2.3}]\n"
		h := newHome(t, auths+targets)
		at := fmt.Sprintf("tapo_exporter_config_last_reload_success_timestamp_seconds %v\n", float64(time.Now().Unix()))
		h.want(t, "/metrics", 200, "tapo_exporter_config_last_reload_successful 1\n", at)
		time.Sleep(time.Hour)
		h.write(t, "targets: [{}]")
		h.do(http.MethodPost, "/-/reload")
		h.want(t, "/metrics", 200, "tapo_exporter_config_last_reload_successful 0\n", at, "tapo_exporter_targets 3\n")
		h.write(t, auths+"targets: [{name: a, address: 192.0.2.1}]\n")
		h.do(http.MethodPost, "/-/reload")
		later := fmt.Sprintf("tapo_exporter_config_last_reload_success_timestamp_seconds %v\n", float64(time.Now().Unix()))
		h.want(t, "/metrics", 200, "tapo_exporter_config_last_reload_successful 1\n", later, "tapo_exporter_targets 1\n", "tapo_exporter_build_info{")
		h.write(t, auths)
		h.do(http.MethodPost, "/-/reload")
		h.want(t, "/metrics", 200, "tapo_exporter_targets 0\n")
	})
}
