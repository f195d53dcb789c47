// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestPrometheusScrapesTheDemo is the README's set-up with http_sd.
func TestPrometheusScrapesTheDemo(t *testing.T) {
	t.Parallel()
	tool(t, "prometheus")
	address := exporter(t, nil, "--demo")
	server := prometheus(t, documentedConfig(t, readme, "http_sd_configs", "localhost:9782", address))

	var groups []struct {
		Labels map[string]string `json:"labels"`
	}
	if err := json.Unmarshal([]byte(hometest.MustGet(t, "http://"+address+"/sd")), &groups); err != nil || len(groups) < 6 {
		t.Fatalf("%d targets, %v", len(groups), err)
	}
	eventually(t, 30*time.Second, func() string {
		up := query(t, server, `tapo_up{job="tapo"}`)
		for _, g := range groups {
			if up[g.Labels["instance"]] != 1 {
				return fmt.Sprintf("tapo_up of %s is not 1: %v", g.Labels["instance"], up)
			}
		}
		return ""
	})
	if rooms := query(t, server, `count by (instance) (tapo_up{room!=""})`); len(rooms) != len(groups) {
		t.Errorf("labels of the targets are missing: %v", rooms)
	}
	eventually(t, 10*time.Second, func() string {
		if self := query(t, server, `tapo_exporter_targets`); len(self) != 1 {
			return fmt.Sprintf("the exporter itself is not scraped: %v", self)
		}
		return ""
	})

	before := query(t, server, "tapo_energy_joules_total")
	if len(before) < 5 {
		t.Fatalf("energy of %v only", before)
	}
	eventually(t, 90*time.Second, func() string { // the smallest load that never rests takes half a minute for a watt-hour
		now := query(t, server, "tapo_energy_joules_total")
		for instance, joules := range now {
			if joules < before[instance] && time.Now().UTC().Day() > 1 && time.Now().UTC().Day() < 28 { // else the month may have ended
				t.Fatalf("the counter of %s fell from %v to %v", instance, before[instance], joules)
			}
		}
		if now["desk"] <= before["desk"] {
			return fmt.Sprintf("the counter does not rise: %v, %v", before, now)
		}
		return ""
	})
	eventually(t, 20*time.Second, func() string { // it may have been scraped only once so far
		if power := query(t, server, `changes(tapo_power_watts{instance="desk"}[30s])`); power["desk"] == 0 {
			return "the power does not change"
		}
		return ""
	})
	if lost := query(t, server, `sum(tapo_exporter_sessions_lost_total)`); lost[""] != 0 {
		t.Errorf("%v sessions lost", lost)
	}
}

// TestClassicScrapeConfig is the README's other set-up: only Prometheus knows
// the plugs, and the exporter only the account. Unlisted plugs are read on port
// 80, so this needs the right to listen there.
func TestClassicScrapeConfig(t *testing.T) {
	t.Parallel()
	tool(t, "prometheus")
	const plugs = 2
	targets := make([]string, plugs)
	for i := range targets {
		targets[i] = fmt.Sprintf("127.0.1.%d", i+1)
		plug := &simulator.Plug{Username: "u", Password: "p", Listen: targets[i] + ":80", Load: simulator.Kettle()}
		if err := plug.Start(); err != nil {
			if os.Getenv("E2E") == "1" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
		defer plug.Close()
	}
	// The default networks leave out loopback, which is all that a test may use.
	path := filepath.Join(t.TempDir(), "targets.yml")
	if err := os.WriteFile(path, []byte("unlisted: {networks: [127.0.1.0/24]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := exporter(t, []string{"TAPO_USERNAME=u", "TAPO_PASSWORD=p"}, "--config.file="+path)
	config := documentedConfig(t, readme, "__param_target", "localhost:9782", address)
	for i, target := range targets {
		documented := fmt.Sprintf("192.168.1.%d", 20+i)
		if !strings.Contains(config, documented) {
			t.Fatalf("no target %s in\n%s", documented, config)
		}
		config = strings.ReplaceAll(config, documented, target)
	}
	server := prometheus(t, config)
	eventually(t, 30*time.Second, func() string {
		up := query(t, server, "tapo_up")
		for _, target := range targets {
			if up[target] != 1 {
				return fmt.Sprintf("tapo_up: %v", up)
			}
		}
		return ""
	})
}

// TestPromtoolLikesTheMetrics checks every page of metrics.
func TestPromtoolLikesTheMetrics(t *testing.T) {
	t.Parallel()
	promtool := tool(t, "promtool")
	address := exporter(t, nil, "--demo")
	paths := []string{"/metrics"}
	var groups []struct {
		Labels map[string]string `json:"labels"`
	}
	if err := json.Unmarshal([]byte(hometest.MustGet(t, "http://"+address+"/sd")), &groups); err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		paths = append(paths, "/probe?target="+g.Labels["__param_target"])
	}
	for _, path := range paths {
		text := hometest.MustGet(t, "http://"+address+path)
		if lines := bufio.NewScanner(strings.NewReader(text)); !lines.Scan() {
			t.Fatalf("%s is empty", path)
		}
		cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
}
