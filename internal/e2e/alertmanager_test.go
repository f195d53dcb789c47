// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// notification is what Alertmanager sends to a webhook.
type notification struct {
	Alerts []struct {
		Status      string
		Labels      map[string]string
		Annotations map[string]string
	}
}

// TestOverheatedPlugReachesTheReceiver goes the whole way with what is shipped:
// a plug overheats, Prometheus reads it and evaluates, Alertmanager tells.
func TestOverheatedPlugReachesTheReceiver(t *testing.T) {
	t.Parallel()
	tool(t, "prometheus")
	plug := &simulator.Plug{Model: simulator.P115, Username: "u", Password: "p"}
	if err := plug.Start(); err != nil {
		t.Fatal(err)
	}
	defer plug.Close()
	targets := filepath.Join(t.TempDir(), "targets.yml")
	if err := os.WriteFile(targets, fmt.Appendf(nil, `
auths: {home: {username: u, password: p}}
targets: [{name: toaster, address: '%s', labels: {room: kitchen}}]
`, plug.Addr()), 0o600); err != nil {
		t.Fatal(err)
	}
	received := make(chan notification, 100)
	webhook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var n notification
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
			t.Error(err)
		}
		received <- n
	}))
	defer webhook.Close()
	manager := alertmanager(t, strings.NewReplacer("http://localhost:8080", webhook.URL, "group_interval: 1m", "group_interval: 1s", "group_wait: 10s", "group_wait: 1s"))
	address := exporter(t, nil, "--config.file="+targets)
	server := shippedPrometheus(t, address, manager)
	eventually(t, 30*time.Second, func() string {
		if up := query(t, server, "tapo_overheated"); len(up) != 1 {
			return "the plug is not read"
		}
		return ""
	})

	plug.SetOverheated(true)
	firing := awaitAlert(t, received, "firing")
	want := map[string]string{"alertname": "TapoOverheated", "severity": "critical", "job": "tapo", "instance": "toaster", "outlet": "1", "room": "kitchen"}
	if diff := cmp.Diff(want, firing["labels"]); diff != "" {
		t.Errorf("labels (-want +got)\n%s", diff)
	}
	wantText := map[string]string{
		"summary":     "toaster (outlet 1) is overheated",
		"description": "Switch off and unplug what it feeds, let it cool, and look for a loose or scorched contact before it is used again.",
		"runbook_url": "https://github.com/tapo-exporter/tapo_exporter/blob/main/docs/alerts.md#tapooverheated",
	}
	if diff := cmp.Diff(wantText, firing["annotations"]); diff != "" {
		t.Errorf("text (-want +got)\n%s", diff)
	}
	plug.SetOverheated(false)
	awaitAlert(t, received, "resolved")
}

// awaitAlert waits for a notification about the overheated plug.
func awaitAlert(t *testing.T, received <-chan notification, status string) map[string]map[string]string {
	t.Helper()
	patience := time.After(2 * time.Minute) // the alert waits for one
	for {
		select {
		case n := <-received:
			for _, a := range n.Alerts {
				if a.Labels["alertname"] == "TapoOverheated" && a.Status == status {
					return map[string]map[string]string{"labels": a.Labels, "annotations": a.Annotations}
				}
			}
		case <-patience:
			t.Fatalf("nothing is %s", status)
		}
	}
}

// alertmanager starts one with the shipped configuration, changed by edit, and
// returns its address.
func alertmanager(t *testing.T, edit *strings.Replacer) string {
	t.Helper()
	shipped, err := os.ReadFile(rulesDir + "/alertmanager.yml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(path, []byte(edit.Replace(string(shipped))), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	command(t, nil, tool(t, "alertmanager"), "--config.file="+path, "--storage.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--cluster.listen-address=")
	return address
}

// shippedPrometheus starts a server with the shipped configuration and rules,
// scraping and evaluating every second, and returns its URL.
func shippedPrometheus(t *testing.T, exporter, manager string, blocks ...string) string {
	t.Helper()
	dir := t.TempDir()
	faster := strings.NewReplacer(
		"localhost:9782", exporter, "localhost:9093", manager, "\n  - tapo_", "\n  - "+dir+"/tapo_", "interval: 15s", "interval: 1s",
		"scrape_configs:", "  scrape_timeout: 1s\nscrape_configs:", "interval: 1m", "interval: 2s", "interval: 2m", "interval: 2s",
	)
	config := ""
	for _, name := range []string{"tapo_settings.yml", "tapo_rules.yml", "tapo_alerts.yml", "prometheus.yml"} {
		shipped, err := os.ReadFile(filepath.Join(rulesDir, name))
		if err != nil {
			t.Fatal(err)
		}
		config = faster.Replace(string(shipped))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return prometheus(t, config, blocks...)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
