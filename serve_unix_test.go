// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestReloadOnHangup(t *testing.T) {
	a, b := startPlug(t, &simulator.Plug{}), startPlug(t, &simulator.Plug{})
	path := filepath.Join(t.TempDir(), "targets.yml")
	writeConfig(t, path, a)
	p := start(t, "--config.file="+path)
	if body := hometest.MustGet(t, p.url+"/probe?target=plug0"); !strings.Contains(body, "tapo_up 1\n") {
		t.Fatalf("got\n%s", body)
	}
	writeConfig(t, path, a, b)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(hometest.MustGet(t, p.url+"/sd"), "plug1"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not reloaded")
		}
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(p.stderr.String(), "Reload failed"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the failure is not logged")
		}
	}
	if !strings.Contains(hometest.MustGet(t, p.url+"/sd"), "plug1") {
		t.Error("the old configuration is gone")
	}
}

// TestDrain stops the program while a probe is under way, and while a client keeps a
// body back, which would make the end late, and a failure.
func TestDrain(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		plug := startPlug(t, &simulator.Plug{Latency: 100 * time.Millisecond})
		path := filepath.Join(t.TempDir(), "targets.yml")
		writeConfig(t, path, plug)
		p := start(t, "--config.file="+path)
		answer := make(chan string, 1)
		go func() {
			body, err := hometest.Get(p.url + "/probe?target=plug0")
			answer <- fmt.Sprint(body, err)
		}()
		for plug.Stats().Connections == 0 {
			time.Sleep(time.Millisecond)
		}
		late, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer late.Close()
		if _, err := io.WriteString(late, "POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(os.Getpid(), signal); err != nil {
			t.Fatal(err)
		}
		if body := <-answer; !strings.Contains(body, "tapo_up 1\n") {
			t.Errorf("%s: got\n%s", signal, body)
		}
		exit := <-p.exit
		p.exit <- exit
		if exit != 0 {
			t.Errorf("%s: exit %d", signal, exit)
		}
	}
}
