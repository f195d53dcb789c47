// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e tries what is shipped the way it is used: the built program, the
// configurations, rules and dashboards in a real Prometheus and a real
// Alertmanager, the pages in a real Chromium, and the commands of the documents.
// Without those programs its tests skip; with E2E=1 they fail then.
package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
)

// The files that tests look at, from this directory.
const (
	root   = "../.."
	readme = root + "/README.md"
)

// scratch is where the program is built.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "e2e"); err != nil {
		panic(err)
	}
	os.Setenv("STATE_DIRECTORY", scratch) // what plugs refuse here stays out of the home directory
	exit := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(exit)
}

var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "tapo_exporter")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", path, root).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// binary returns the path of the program.
func binary(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// tool returns the path of a program that the test needs. Without E2E=1 the test is
// skipped, also if the program is installed: then `go test ./...` takes the same time
// everywhere. Debian calls Alertmanager's programs otherwise.
func tool(t *testing.T, name string) string {
	t.Helper()
	if os.Getenv("E2E") != "1" {
		t.Skipf("no %s without E2E=1", name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("prometheus-" + name)
	}
	if err != nil {
		t.Fatalf("%s is not installed", name)
	}
	return path
}

// command starts a program that is stopped when the test ends, and returns its
// log.
func command(t *testing.T, env []string, name string, args ...string) *hometest.Buffer {
	t.Helper()
	var out hometest.Buffer
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

// runs runs a program, which must succeed.
func runs(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
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

// exporter starts the program and returns its address.
func exporter(t *testing.T, env []string, args ...string) string {
	t.Helper()
	out := command(t, env, binary(t), append(args, "--web.listen-address=127.0.0.1:0")...)
	address := ""
	eventually(t, 10*time.Second, func() string {
		if m := hometest.Listening.FindStringSubmatch(out.String()); m != nil {
			address = m[1]
			return ""
		}
		return "the exporter does not listen"
	})
	return address
}

// prometheus starts a server with a configuration, on the samples of files in
// OpenMetrics format if there are any, and returns its URL.
func prometheus(t *testing.T, config string, blocks ...string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), tool(t, "promtool"), "check", "config", path).CombinedOutput(); err != nil {
		t.Fatalf("promtool check config: %v\n%s", err, out)
	}
	address := freeAddress(t)
	data := filepath.Join(dir, "data")
	for _, file := range blocks {
		if out, err := exec.CommandContext(t.Context(), tool(t, "promtool"), "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=768h", file, data).CombinedOutput(); err != nil {
			t.Fatalf("promtool tsdb: %v\n%s", err, out)
		}
	}
	command(t, nil, tool(t, "prometheus"), "--config.file="+path, "--storage.tsdb.path="+data, "--storage.tsdb.retention.time=10y", "--web.listen-address="+address, "--web.enable-lifecycle")
	return "http://" + address
}

// query returns the values of an instant query by instance.
func query(t *testing.T, server, expression string) map[string]float64 {
	t.Helper()
	resp, err := hometest.Get(server + "/api/v1/query?query=" + url.QueryEscape(expression))
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
