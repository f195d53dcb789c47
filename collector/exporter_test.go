// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

const (
	username = "user@example.com"
	password = "Test-Passw0rd!"

	auths = "auths: {home: {username: " + username + ", password: " + password + "}}\n"
)

// startPlug starts a plug of the account.
func startPlug(t testing.TB, p *simulator.Plug) *simulator.Plug {
	t.Helper()
	if p.Username == "" {
		p.Username, p.Password = username, password
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

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

// fixture is an exporter under test.
type fixture struct {
	*Exporter
	path string
	log  *syncBuffer
}

// newFixture makes an exporter of a configuration in YAML.
func newFixture(t testing.TB, yaml string, change ...func(*Options)) *fixture {
	t.Helper()
	f := &fixture{path: filepath.Join(t.TempDir(), "targets.yml"), log: &syncBuffer{}}
	f.write(t, yaml)
	logger := slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	store := config.NewStore(func() string { return f.path }, logger)
	opts := Options{Store: store, HistoryLimit: 10, Logger: logger}
	for _, c := range change {
		c(&opts)
	}
	f.Exporter = New(opts)
	if err := store.Reload(); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) write(t testing.TB, yaml string) {
	t.Helper()
	if err := os.WriteFile(f.path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
}

// get asks the handler directly.
func (f *fixture) get(path string, header ...string) *httptest.ResponseRecorder {
	return f.do(http.MethodGet, path, header...)
}

func (f *fixture) do(method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

// want gets a path and wants a status and texts in the answer.
func (f *fixture) want(t testing.TB, path string, status int, texts ...string) string {
	t.Helper()
	w := f.get(path)
	body := w.Body.String()
	if w.Code != status {
		t.Errorf("%s: status %d, want %d:\n%s", path, w.Code, status, body)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			t.Errorf("%s: no %q in\n%s", path, text, body)
		}
	}
	return body
}

// targetYAML is a configuration with one target per plug, named a, b and so on.
func targetYAML(plugs ...*simulator.Plug) string {
	yaml := auths + "targets:\n"
	for i, p := range plugs {
		yaml += fmt.Sprintf("  - {name: %c, address: '%s', allow_passthrough: %t}\n", 'a'+i, p.Addr(), p.Model.Protocol == simulator.Passthrough)
	}
	return yaml
}

func TestHealth(t *testing.T) {
	f := newFixture(t, auths)
	f.want(t, "/-/healthy", 200, "Healthy")
	f.want(t, "/-/ready", 200, "Ready")
	f.want(t, "/nowhere", 404)
	f.want(t, "/debug/pprof/", 404)
	if w := f.do(http.MethodPost, "/probe?target=a"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /probe: %d", w.Code)
	}
}

func TestReload(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	f := newFixture(t, auths)
	f.want(t, "/probe?target=a", 400)

	f.write(t, targetYAML(p))
	if w := f.do(http.MethodGet, "/-/reload"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
	if w := f.do(http.MethodPost, "/-/reload", "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden {
		t.Errorf("from another site: %d", w.Code)
	}
	f.want(t, "/probe?target=a", 400)
	if w := f.do(http.MethodPost, "/-/reload"); w.Code != http.StatusOK {
		t.Errorf("POST: %d %s", w.Code, w.Body)
	}
	f.want(t, "/probe?target=a", 200, "tapo_up 1")
	f.want(t, "/metrics", 200, "tapo_exporter_config_last_reload_successful 1", "tapo_exporter_targets 1")

	f.write(t, "auths: {home: {username: x, passwort: hunter2}}")
	w := f.do(http.MethodPost, "/-/reload")
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "passwort: no such setting") || strings.Contains(w.Body.String(), "hunter2") {
		t.Errorf("bad file: %d %s", w.Code, w.Body)
	}
	f.want(t, "/probe?target=a", 200, "tapo_up 1")
	f.want(t, "/metrics", 200, "tapo_exporter_config_last_reload_successful 0", "tapo_exporter_targets 1")
	if p.Stats().Logins != 1 {
		t.Errorf("%d logins: the session did not outlive the reload", p.Stats().Logins)
	}
}

// TestReloadKeepsBackoff: only corrected credentials try again at once.
func TestReloadKeepsBackoff(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	yaml := func(password, more string) string {
		return fmt.Sprintf("auths: {home: {username: %s, password: %s}}\ntargets: [{name: a, address: '%s'%s}]\n", username, password, p.Addr(), more)
	}
	f := newFixture(t, yaml("wrong", ""))
	f.want(t, "/probe?target=a", 200, `tapo_probe_failure_info{reason="bad_credentials"} 1`)
	for _, more := range []string{"", ", labels: {room: kitchen}", ", allow_passthrough: true"} {
		f.write(t, yaml("wrong", more))
		f.do(http.MethodPost, "/-/reload")
		f.want(t, "/probe?target=a", 200, `tapo_probe_failure_info{reason="login_backoff"} 1`)
	}
	f.write(t, yaml(password, ""))
	f.do(http.MethodPost, "/-/reload")
	f.want(t, "/probe?target=a", 200, "tapo_up 1")
}

func TestReloadDropsSessions(t *testing.T) {
	a, b := startPlug(t, &simulator.Plug{}), startPlug(t, &simulator.Plug{})
	f := newFixture(t, targetYAML(a, b))
	f.want(t, "/probe?target=a", 200, "tapo_up 1")
	f.want(t, "/probe?target=b", 200, "tapo_up 1")
	f.want(t, "/metrics", 200, `tapo_exporter_sessions{protocol="klap"} 2`)
	f.write(t, targetYAML(a))
	f.do(http.MethodPost, "/-/reload")
	f.want(t, "/metrics", 200, `tapo_exporter_sessions{protocol="klap"} 1`)
	f.want(t, "/probe?target=b", 400)
}

// TestRenamedTarget: a name is not what makes a plug.
func TestRenamedTarget(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	f := newFixture(t, targetYAML(p))
	f.want(t, "/probe?target=a", 200, "tapo_up 1")
	f.write(t, strings.Replace(targetYAML(p), "name: a", "name: renamed", 1))
	f.do(http.MethodPost, "/-/reload")
	f.want(t, "/probe?target=renamed", 200, "tapo_up 1")
	if p.Stats().Logins != 1 {
		t.Errorf("%d logins", p.Stats().Logins)
	}
}

// TestNoDowngradeThroughReload: other credentials and a permission do not make
// the exporter forget that the plug has spoken KLAP.
func TestNoDowngradeThroughReload(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	f := newFixture(t, targetYAML(p))
	f.want(t, "/probe?target=a", 200, "tapo_up 1")
	f.write(t, strings.NewReplacer(password, "changed", "allow_passthrough: false", "allow_passthrough: true").Replace(targetYAML(p)))
	f.do(http.MethodPost, "/-/reload")
	p.SetModel(simulator.P110Passthrough)
	f.want(t, "/probe?target=a", 200, `reason="passthrough_not_allowed"`)
	if s := p.Stats(); s.Methods["login_device"]+s.LoginFailures != 0 {
		t.Errorf("%+v", s)
	}
}

// TestReloadDuringARead: the new configuration's read waits for the old one's.
func TestReloadDuringARead(t *testing.T) {
	p := startPlug(t, &simulator.Plug{Latency: 50 * time.Millisecond})
	yaml := func(more string) string {
		return fmt.Sprintf("auths: {home: {username: %s, password: wrong}}\ntargets: [{name: a, address: '%s'%s}]\n", username, p.Addr(), more)
	}
	f := newFixture(t, yaml(""))
	first := make(chan string)
	go func() { first <- f.get("/probe?target=a").Body.String() }()
	for p.Stats().Connections == 0 {
		time.Sleep(time.Millisecond)
	}
	f.write(t, yaml(", allow_passthrough: true"))
	f.do(http.MethodPost, "/-/reload")
	f.want(t, "/probe?target=a", 200, `reason="login_backoff"`)
	if body := <-first; !strings.Contains(body, `reason="bad_credentials"`) {
		t.Errorf("got\n%s", body)
	}
	if s := p.Stats(); s.Connections != 1 || s.Steps["/app/handshake1"] != 1 {
		t.Errorf("%+v", s)
	}
}
