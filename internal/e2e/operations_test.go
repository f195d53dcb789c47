// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
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

const operations = root + "/docs/operations.md"

// TestSharding runs two exporters of the same plugs as docs/operations.md says:
// each plug is read by exactly one.
func TestSharding(t *testing.T) {
	tool(t, "prometheus")
	const count = 12
	var targets strings.Builder
	targets.WriteString("auths: {home: {username: u, password: p}}\ntargets:\n")
	plugs := make([]*simulator.Plug, count)
	for i := range plugs {
		plugs[i] = &simulator.Plug{Username: "u", Password: "p"}
		if err := plugs[i].Start(); err != nil {
			t.Fatal(err)
		}
		defer plugs[i].Close()
		fmt.Fprintf(&targets, "  - {name: plug-%d, address: '%s'}\n", i, plugs[i].Addr())
	}
	path := filepath.Join(t.TempDir(), "targets.yml")
	if err := os.WriteFile(path, []byte(targets.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	shards := []string{exporter(t, nil, "--config.file="+path), exporter(t, nil, "--config.file="+path)}
	server := prometheus(t, documentedConfig(t, operations, "hashmod", "exporter-0:9782", shards[0], "exporter-1:9782", shards[1]))
	eventually(t, 30*time.Second, func() string {
		if up := query(t, server, `count by (instance) (tapo_up{job="tapo"} == 1)`); len(up) != count {
			return fmt.Sprintf("%d plugs are up: %v", len(up), up)
		}
		return ""
	})
	time.Sleep(3 * time.Second) // a few more scrapes, in which a rival would show
	for instance, n := range query(t, server, `count by (instance) (tapo_up)`) {
		if n != 1 {
			t.Errorf("%s is scraped by %v", instance, n)
		}
	}
	for i, p := range plugs {
		if s := p.Stats(); s.Logins != 1 || s.Connections != 1 {
			t.Errorf("plug-%d: %d logins over %d connections", i, s.Logins, s.Connections)
		}
	}
	for _, shard := range shards {
		if !strings.Contains(hometest.MustGet(t, "http://"+shard+"/metrics"), `tapo_exporter_logins_total{protocol="klap"} `) ||
			strings.Contains(hometest.MustGet(t, "http://"+shard+"/metrics"), `tapo_exporter_logins_total{protocol="klap"} 0`) {
			t.Error("an exporter has nothing to do")
		}
	}
}

// TestOperationsConfigs has promtool check every configuration of
// docs/operations.md.
func TestOperationsConfigs(t *testing.T) {
	promtool := tool(t, "promtool")
	blocks := yamlBlocks(t, operations)
	if len(blocks) < 5 {
		t.Fatalf("%d configurations", len(blocks))
	}
	for _, text := range blocks {
		path := filepath.Join(t.TempDir(), "prometheus.yml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), promtool, "check", "config", path).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s\n%s", err, out, text)
		}
	}
}
