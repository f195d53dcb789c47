// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// tool returns the path of a program that the test needs. With E2E=1 it must
// be there.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("E2E") == "1":
		t.Fatalf("%s is not installed", name)
	default:
		t.Skipf("%s is not installed", name)
	}
	return ""
}

// command starts a program that is stopped when the test ends, and returns its
// log.
func command(t *testing.T, env []string, name string, args ...string) *syncBuffer {
	t.Helper()
	var out syncBuffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Wait() // Prometheus ends with an error when it is interrupted early
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(name), out.String())
		}
	})
	return &out
}

// eventually waits until f returns "".
func eventually(t *testing.T, patience time.Duration, f func() string) {
	t.Helper()
	problem := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if problem = f(); problem == "" {
			return
		}
	}
	t.Fatal(problem)
}

// exporter builds the program, starts it, and returns its address.
func exporter(t *testing.T, env []string, args ...string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "tapo_exporter")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out := command(t, env, binary, append(args, "--web.listen-address=127.0.0.1:0")...)
	address := ""
	eventually(t, 10*time.Second, func() string {
		if m := listening.FindStringSubmatch(out.String()); m != nil {
			address = m[1]
			return ""
		}
		return "the exporter does not listen"
	})
	return address
}

var yamlBlock = regexp.MustCompile("(?s)( *)```yaml\n(.*?)```")

// yamlBlocks returns the YAML in a document.
func yamlBlocks(t *testing.T, path string) (blocks []string) {
	t.Helper()
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range yamlBlock.FindAllStringSubmatch(string(document), -1) {
		var b strings.Builder
		for line := range strings.Lines(m[2]) {
			b.WriteString(strings.TrimPrefix(line, m[1]))
		}
		blocks = append(blocks, b.String())
	}
	return blocks
}

// documentedConfig returns the scrape configuration of a document that contains
// a word, scraping every second, with other addresses of exporters.
func documentedConfig(t *testing.T, path, word string, addresses ...string) string {
	t.Helper()
	for _, text := range yamlBlocks(t, path) {
		if strings.Contains(text, "scrape_configs:") && strings.Contains(text, word) {
			text = strings.NewReplacer(addresses...).Replace(text)
			return "global: {scrape_interval: 1s, scrape_timeout: 1s}\n" + strings.ReplaceAll(text, "scrape_interval: 15s", "scrape_interval: 1s")
		}
	}
	t.Fatalf("no scrape configuration with %s in %s", word, path)
	return ""
}

// prometheus starts a server with a configuration and returns its URL.
func prometheus(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), tool(t, "promtool"), "check", "config", path).CombinedOutput(); err != nil {
		t.Fatalf("promtool check config: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	command(t, nil, tool(t, "prometheus"), "--config.file="+path, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	return "http://" + address
}

// query returns the values of an instant query by instance.
func query(t *testing.T, server, expression string) map[string]float64 {
	t.Helper()
	resp, err := httpGet(server + "/api/v1/query?query=" + url.QueryEscape(expression))
	if err != nil {
		return nil // not up yet
	}
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string `json:"metric"`
				Value  [2]any            `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(resp), &answer); err != nil {
		return nil
	}
	values := map[string]float64{}
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		if values[r.Metric["instance"]], err = strconv.ParseFloat(text, 64); err != nil {
			t.Fatal(err)
		}
	}
	return values
}

// TestPrometheusScrapesTheDemo is the README's set-up with http_sd.
func TestPrometheusScrapesTheDemo(t *testing.T) {
	tool(t, "prometheus")
	address := exporter(t, nil, "--demo")
	server := prometheus(t, documentedConfig(t, "README.md", "http_sd_configs", "localhost:9782", address))

	var groups []struct {
		Labels map[string]string `json:"labels"`
	}
	if err := json.Unmarshal([]byte(get(t, "http://"+address+"/sd")), &groups); err != nil || len(groups) < 6 {
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
	config := documentedConfig(t, "README.md", "__param_target", "localhost:9782", address)
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
	promtool := tool(t, "promtool")
	address := exporter(t, nil, "--demo")
	paths := []string{"/metrics"}
	var groups []struct {
		Labels map[string]string `json:"labels"`
	}
	if err := json.Unmarshal([]byte(get(t, "http://"+address+"/sd")), &groups); err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		paths = append(paths, "/probe?target="+g.Labels["__param_target"])
	}
	for _, path := range paths {
		text := get(t, "http://"+address+path)
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
