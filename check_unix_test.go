// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestCheckInterrupted stops the program while it waits for a plug: what another has refused
// is stored.
func TestCheckInterrupted(t *testing.T) {
	refusing, silent := startPlug(t, &simulator.Plug{Model: simulator.P110TPAP}), startPlug(t, &simulator.Plug{Latency: time.Hour})
	refusing.SetCredentials("u", "another")
	config, state := filepath.Join(t.TempDir(), "targets.yml"), filepath.Join(t.TempDir(), "rejections.json")
	writeConfig(t, config, silent, refusing)
	exit, stdout, stderr := make(chan int, 1), &hometest.Buffer{}, &hometest.Buffer{}
	go func() {
		exit <- run(t.Context(), []string{"check", "--timeout=1m", "--config.file=" + config, "--rejections.file=" + state}, stdout, stderr)
	}()
	hometest.Eventually(t, "one refuses, and the other is waited for", func() bool {
		return refusing.Stats().LoginFailures == 1 && silent.Stats().Connections > 0
	})
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if got := <-exit; got != exitFailure || !strings.Contains(stderr.String(), "interrupted") || stdout.String() != "" {
		t.Errorf("exit %d: %s%s", got, stdout.String(), stderr.String())
	}
	if data, err := os.ReadFile(state); err != nil || !strings.Contains(string(data), refusing.Addr().String()) {
		t.Errorf("%v: %s", err, data)
	}
}
