// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestRejectionsOfCommands: what a plug has refused is stored when a command ends.
func TestRejectionsOfCommands(t *testing.T) {
	for _, command := range []string{"check", "backfill"} {
		plug := startPlug(t, &simulator.Plug{Model: simulator.P110TPAP})
		plug.SetCredentials("u", "another")
		config, state := filepath.Join(t.TempDir(), "targets.yml"), filepath.Join(t.TempDir(), "rejections.json")
		writeConfig(t, config, plug)
		for range 2 {
			ended(t, 1, command, "--config.file="+config, "--rejections.file="+state, "plug0")
			if data, err := os.ReadFile(state); err != nil || !strings.Contains(string(data), plug.Addr().String()) {
				t.Errorf("%s: %v: %s", command, err, data)
			}
		}
		if got := plug.Stats().LoginFailures; got != 1 {
			t.Errorf("%s: %d failures, want 1", command, got)
		}
		_, stderr := ended(t, 1, command, "--config.file="+config, "--rejections.file="+filepath.Join(belowFile(t), "rejections.json"), "plug0")
		if strings.Count(stderr, "--rejections.file") != 2 { // at the start and at the end
			t.Errorf("%s: %s", command, stderr)
		}
	}
}
