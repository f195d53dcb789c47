// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain keeps what plugs refuse here out of the home directory, and makes the
// computer's time zone one that no plug is in. Many tests run at a time, since
// most of them wait: a plug is asked for its history with pauses.
func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if time.Local, err = time.LoadLocation("Pacific/Auckland"); err != nil {
		panic(err)
	}
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	state, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	os.Setenv("STATE_DIRECTORY", state)
	exit := m.Run()
	_ = os.RemoveAll(state)
	os.Exit(exit)
}

func TestExitCodes(t *testing.T) {
	t.Setenv("TAPO_USERNAME", "")
	os.Unsetenv("TAPO_USERNAME")
	t.Chdir(t.TempDir())
	good, bad := filepath.Join(t.TempDir(), "good.yml"), filepath.Join(t.TempDir(), "bad.yml")
	writeConfig(t, good)
	if err := os.WriteFile(bad, []byte("auths: {home: {username: u, password: hunter2, x: y}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tc := range []struct {
		name   string
		args   []string
		exit   int
		stdout string
		stderr string
	}{
		{"help", []string{"--help"}, 0, "--config.file=\"targets.yml\"", ""},
		{"help of serve", []string{"serve", "--help"}, 0, "--timeout-offset=0.5s", ""},
		{"version", []string{"--version"}, 0, "tapo_exporter", ""},
		{"unknown flag", []string{"--x"}, 2, "", "unknown long flag '--x', try --help"},
		{"unknown command", []string{"fly"}, 2, "", "try --help"},
		{"bad duration", []string{"--timeout=soon"}, 2, "", "try --help"},
		{"negative timeout", []string{"--timeout=-1s"}, 2, "", "--timeout must be positive"},
		{"negative offset", []string{"--timeout-offset=-1s"}, 2, "", "--timeout-offset must not be negative"},
		{"negative history", []string{"--history.limit=-1"}, 2, "", "--history.limit must be"},
		{"bad log level", []string{"--log.level=loud"}, 2, "", "try --help"},
		{"demo with a file", []string{"--demo", "--config.file=" + good}, 2, "", "--demo takes no configuration"},
		{"check, good", []string{"--config.check", "--config.file=" + good}, 0, "the configuration is good", ""},
		{"check, bad", []string{"--config.check", "--config.file=" + bad}, 1, "", "line 1: no such setting: an account has"},
		{"check, missing", []string{"--config.check", "--config.file=missing.yml"}, 1, "", "missing.yml: no such file"},
		{"check, missing web configuration", []string{"--config.check", "--config.file=" + good, "--web.config.file=missing.yml"}, 1, "", "--web.config.file: open missing.yml"},
		{"serve, bad", []string{"serve", "--config.file=" + bad}, 1, "", "line 1: no such setting: an account has"},
		{"serve, missing", []string{"--config.file=missing.yml"}, 1, "", "missing.yml: no such file"},
		{"nothing at all", nil, 1, "", "there is no targets.yml here (see targets.yml.example, or try --demo)"},
		{"check of nothing", []string{"--config.check"}, 1, "", "there is no targets.yml here"},
		{"port in use", []string{"--config.file=" + good, "--web.listen-address=" + taken.Addr().String()}, 1, "", "address already in use"},
		{"missing web configuration", []string{"--config.file=" + good, "--web.listen-address=127.0.0.1:0", "--web.config.file=missing.yml"}, 1, "", "missing.yml: no such file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if exit := run(ctx, tc.args, &stdout, &stderr); exit != tc.exit {
				t.Errorf("exit %d, want %d", exit, tc.exit)
			}
			if !strings.Contains(stdout.String(), tc.stdout) || !strings.Contains(stderr.String(), tc.stderr) {
				t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
			}
			if strings.Contains(stdout.String()+stderr.String(), "hunter2") {
				t.Error("the password is shown")
			}
		})
	}
}

func TestLogFormats(t *testing.T) {
	for format, want := range map[string]string{"logfmt": "level=info", "json": `"level":"info"`} {
		var stdout, stderr bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		path := filepath.Join(t.TempDir(), "targets.yml")
		writeConfig(t, path)
		if exit := run(ctx, []string{"--config.file=" + path, "--web.listen-address=127.0.0.1:0", "--log.format=" + format}, &stdout, &stderr); exit != 0 {
			t.Errorf("exit %d", exit)
		}
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: %s", format, stderr.String())
		}
	}
}

// TestFlagsAreDocumented: docs/configuration.md has a row for every flag.
func TestFlagsAreDocumented(t *testing.T) {
	docs, err := os.ReadFile("docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var help bytes.Buffer
	run(t.Context(), []string{"--help"}, &help, io.Discard)
	flags := regexp.MustCompile(`(?m)^ +--(?:\[no-\])?([a-z.-]+)`).FindAllStringSubmatch(help.String(), -1)
	if len(flags) < 11 {
		t.Fatalf("%d flags in\n%s", len(flags), help.String())
	}
	for _, f := range flags {
		if !slices.Contains([]string{"version", "help-man"}, f[1]) && !strings.Contains(string(docs), "| `--"+f[1]+"` |") {
			t.Errorf("no row for --%s", f[1])
		}
	}
}

// TestCompletion: the README's scripts are there, and complete.
func TestCompletion(t *testing.T) {
	printed := func(args ...string) string {
		t.Helper()
		file, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		stdout := os.Stdout
		os.Stdout = file // where kingpin prints them
		defer func() { os.Stdout = stdout }()
		ended(t, 0, args...)
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, shell := range []string{"bash", "zsh"} {
		if script := printed("--completion-script-" + shell); !strings.Contains(script, "comp") || !strings.Contains(script, "_"+program) {
			t.Errorf("%s: %s", shell, script)
		}
	}
	for _, tc := range []struct{ want, typed string }{{"check", ""}, {"discover", "disc"}, {"backfill", "back"}, {"--demo", "--"}} {
		if words := printed("--completion-bash", tc.typed); !strings.Contains(words, tc.want) {
			t.Errorf("%s: %s", tc.typed, words)
		}
	}
}
