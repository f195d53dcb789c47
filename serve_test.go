// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestRejectionsOutliveRestarts: restarts do not lock a plug.
func TestRejectionsOutliveRestarts(t *testing.T) {
	plug := startPlug(t, &simulator.Plug{Model: simulator.P110TPAP})
	plug.SetCredentials("u", "another")
	path := filepath.Join(t.TempDir(), "targets.yml")
	writeConfig(t, path, plug)
	state := filepath.Join(os.Getenv("STATE_DIRECTORY"), "rejections.json")
	for i, want := range []struct {
		reason   string
		failures int
	}{{"bad_credentials", 1}, {"login_backoff", 1}, {"login_backoff", 1}, {"bad_credentials", 2}} {
		if i == 3 { // as the documentation says
			if err := os.Remove(state); err != nil {
				t.Fatal(err)
			}
		}
		p := start(t, "--config.file="+path)
		if body := hometest.MustGet(t, p.url+"/probe?target=plug0"); !strings.Contains(body, `reason="`+want.reason+`"`) {
			t.Errorf("run %d:\n%s", i, body)
		}
		if got := plug.Stats().LoginFailures; got != want.failures {
			t.Errorf("run %d: %d failures, want %d", i, got, want.failures)
		}
		p.stop()
		exit := <-p.exit // it has stored what was refused last
		p.exit <- exit
	}
}

// TestRejectionsNotWritable shows on the page and in a metric.
func TestRejectionsNotWritable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "targets.yml")
	writeConfig(t, path)
	p := start(t, "--config.file="+path, "--rejections.file="+filepath.Join(belowFile(t), "rejections.json"))
	if body := hometest.MustGet(t, p.url+"/metrics"); !strings.Contains(body, "\ntapo_exporter_rejections_file_writable 0\n") {
		t.Errorf("/metrics:\n%s", body)
	}
	if body := hometest.MustGet(t, p.url+"/"); !strings.Contains(body, "Refused logins cannot be stored") {
		t.Errorf("/:\n%s", body)
	}
	if !strings.Contains(p.stderr.String(), "level=warn") {
		t.Errorf("logged: %s", p.stderr.String())
	}
}

func TestServeFromEnvironmentAlone(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("TAPO_USERNAME", "u")
	t.Setenv("TAPO_PASSWORD", "p")
	p := start(t)
	if body := hometest.MustGet(t, p.url+"/sd"); strings.TrimSpace(body) != "[]" {
		t.Errorf("/sd: %s", body)
	}
	if body := hometest.MustGet(t, p.url+"/config"); !strings.Contains(body, "default:") || strings.Contains(body, "password: p") {
		t.Errorf("/config: %s", body)
	}
}
