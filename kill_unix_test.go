// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// asProgram is set in the environment of a test binary that is to be the program.
const asProgram = "TAPO_EXPORTER_TEST_AS_PROGRAM"

func init() {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
}

// child is the program in a process of its own.
type child struct {
	*exec.Cmd
	url    string
	stderr hometest.Buffer
}

func startChild(t *testing.T, args ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{Cmd: exec.CommandContext(t.Context(), self, append([]string{"--web.listen-address=127.0.0.1:0"}, args...)...)}
	c.Env, c.Stderr = append(os.Environ(), asProgram+"=1"), &c.stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); c.url == ""; time.Sleep(time.Millisecond) {
		if m := hometest.Listening.FindStringSubmatch(c.stderr.String()); m != nil {
			c.url = "http://" + m[1]
		}
		if time.Now().After(deadline) {
			t.Fatalf("the program does not listen:\n%s", c.stderr.String())
		}
	}
	return c
}

// probeUntil probes a plug, and gives up once the plug has answered a step of a login. It
// reports whether it has, before the probe was answered.
func (c *child) probeUntil(t *testing.T, plug *simulator.Plug, step string) bool {
	t.Helper()
	steps := func() int { return plug.Stats().Steps[step] }
	before, answered := steps(), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer close(answered)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/probe?target=plug0", nil)
		if err != nil {
			return
		}
		req.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "5") // less than a read may take, which goes on without the probe
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	for steps() == before {
		select {
		case <-answered:
			return steps() > before
		case <-time.After(time.Millisecond):
		}
	}
	return true
}

// TestKilledDuringLogins: a program that is killed while a plug has its proof, and is started
// again and again, sends no more proofs than one that goes on.
func TestKilledDuringLogins(t *testing.T) {
	plug := startPlug(t, &simulator.Plug{Model: simulator.P110TPAP, TPAP: simulator.TPAPOptions{Iterations: 10}})
	plug.Inject(simulator.Fault{Kind: simulator.Hang, Path: "pake_share"})
	dir := t.TempDir()
	path := filepath.Join(dir, "targets.yml")
	writeConfig(t, path, plug)
	for range 6 {
		c := startChild(t, "--config.file="+path, "--rejections.file="+filepath.Join(dir, "rejections.json"))
		c.probeUntil(t, plug, "pake_share")
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // it was killed
	}
	if n := plug.Stats().Steps["pake_share"]; n != 1 {
		t.Errorf("%d proofs within 30 seconds", n)
	}
}

// TestStoppedDuringLogin: a program that is asked to stop waits for the plug's answer to a
// proof, although the client has gone.
func TestStoppedDuringLogin(t *testing.T) {
	plug := startPlug(t, &simulator.Plug{Model: simulator.P110TPAP, TPAP: simulator.TPAPOptions{Iterations: 10}})
	plug.Inject(simulator.Fault{Kind: simulator.Slow, Delay: time.Second, Path: "pake_share"})
	dir := t.TempDir()
	path := filepath.Join(dir, "targets.yml")
	writeConfig(t, path, plug)
	rejections := filepath.Join(dir, "rejections.json")
	c := startChild(t, "--config.file="+path, "--rejections.file="+rejections)
	if !c.probeUntil(t, plug, "pake_register") { // the proof follows, and its answer takes a second
		t.Fatal("no login")
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("%v\n%s", err, c.stderr.String())
	}
	if s := plug.Stats(); s.Logins != 1 {
		t.Errorf("%d logins", s.Logins)
	}
	stored, err := os.ReadFile(rejections)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(stored), `"unclear"`) {
		t.Errorf("stored as unclear although the plug has answered:\n%s", stored)
	}
}
