// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// process is a run in the background.
type process struct {
	url            string
	stop           context.CancelFunc
	exit           chan int
	stdout, stderr hometest.Buffer
}

// start runs the program until the test ends and waits until it listens.
func start(t testing.TB, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{stop: cancel, exit: make(chan int, 1)}
	go func() {
		p.exit <- run(ctx, append([]string{"--web.listen-address=127.0.0.1:0"}, args...), &p.stdout, &p.stderr)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-p.exit:
		case <-time.After(30 * time.Second):
			t.Error("the program does not end")
		}
	})
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if m := hometest.Listening.FindStringSubmatch(p.stderr.String()); m != nil {
			p.url = "http://" + m[1]
			return p
		}
		if len(p.exit) > 0 {
			break
		}
	}
	t.Fatalf("the program does not listen:\n%s", p.stderr.String())
	return nil
}

func writeConfig(t testing.TB, path string, plugs ...*simulator.Plug) {
	t.Helper()
	text := "auths: {home: {username: u, password: p}}\ntargets:\n"
	for i, p := range plugs {
		text += fmt.Sprintf("- {name: plug%d, address: '%s'}\n", i, p.Addr())
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func startPlug(t testing.TB, p *simulator.Plug) *simulator.Plug {
	t.Helper()
	p.Username, p.Password = "u", "p"
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// ended runs the program to its end and wants an exit code.
func ended(t *testing.T, exit int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(t.Context(), args, &out, &errs); got != exit {
		t.Errorf("%v: exit %d, want %d\n%s%s", args, got, exit, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// belowFile returns a path that neither is there nor can be made, not even by
// root.
func belowFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(file, "below-a-file")
}
