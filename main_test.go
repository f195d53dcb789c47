// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/demo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// syncBuffer is a buffer that may be written to and read at a time.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestMain keeps what plugs refuse here out of the home directory.
func TestMain(m *testing.M) {
	state, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	os.Setenv("STATE_DIRECTORY", state)
	exit := m.Run()
	_ = os.RemoveAll(state)
	os.Exit(exit)
}

// process is a run in the background.
type process struct {
	url            string
	stop           context.CancelFunc
	exit           chan int
	stdout, stderr syncBuffer
}

var listening = regexp.MustCompile(`msg="Listening on" address=(\S+)`)

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
		if m := listening.FindStringSubmatch(p.stderr.String()); m != nil {
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

func get(t testing.TB, url string) string {
	t.Helper()
	body, err := httpGet(url)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func httpGet(url string) (string, error) {
	resp, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
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
		if body := get(t, p.url+"/probe?target=plug0"); !strings.Contains(body, `reason="`+want.reason+`"`) {
			t.Errorf("run %d:\n%s", i, body)
		}
		if got := plug.Stats().LoginFailures; got != want.failures {
			t.Errorf("run %d: %d failures, want %d", i, got, want.failures)
		}
		p.stop()
	}
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
		{"check, bad", []string{"--config.check", "--config.file=" + bad}, 1, "", "line 1: x: no such setting here"},
		{"check, missing", []string{"--config.check", "--config.file=missing.yml"}, 1, "", "missing.yml: no such file"},
		{"check, missing web configuration", []string{"--config.check", "--config.file=" + good, "--web.config.file=missing.yml"}, 1, "", "--web.config.file: open missing.yml"},
		{"serve, bad", []string{"serve", "--config.file=" + bad}, 1, "", "line 1: x: no such setting here"},
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

func TestServeFromEnvironmentAlone(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("TAPO_USERNAME", "u")
	t.Setenv("TAPO_PASSWORD", "p")
	p := start(t)
	if body := get(t, p.url+"/sd"); strings.TrimSpace(body) != "[]" {
		t.Errorf("/sd: %s", body)
	}
	if body := get(t, p.url+"/config"); !strings.Contains(body, "default:") || strings.Contains(body, "password: p") {
		t.Errorf("/config: %s", body)
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

func TestDemo(t *testing.T) {
	t.Chdir(t.TempDir())
	p := start(t, "--demo")
	get(t, p.url+"/-/ready")
	said := p.stdout.String()
	for _, want := range []string{demo.Username, demo.Password, p.url + "/sd", "scrape_configs:", "kettle", "klap", "tpap", "passthrough"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	if page := get(t, p.url+"/"); strings.Count(page, " W</td>") < 6 || strings.Count(page, ">tpap</td>") != 2 || strings.Contains(page, "not read yet") {
		t.Errorf("the page shows no power:\n%s", page)
	}
	d, err := startDemo() // for the list of its targets
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if len(d.appliances) < 6 {
		t.Errorf("%d plugs", len(d.appliances))
	}
	for _, a := range d.appliances {
		body := get(t, p.url+"/probe?target="+a.Name)
		if !strings.Contains(body, "tapo_up 1\n") {
			t.Errorf("%s:\n%s", a.Name, body)
		}
		if _, has := d.config.Target(a.Name); !has || a.Plug.Addr().Port() == 0 {
			t.Errorf("%s is not a target", a.Name)
		}
	}
	for _, target := range d.config.Targets {
		if target.Credentials != d.config.Auths[target.Auth].Credentials() {
			t.Errorf("%s has other credentials than its auth", target.Name)
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
