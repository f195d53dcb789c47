// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
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

// house is an exporter with plugs of every protocol, in simulated time.
type house struct {
	*fixture
	network *simulator.Network
	plugs   []*simulator.Plug
}

// inHouse runs a test in a bubble of testing/synctest. The targets are called a,
// b and c.
func inHouse(t *testing.T, latency time.Duration, test func(t *testing.T, h *house), change ...func(*Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 7, 4, 10, 0, 0, 0, time.UTC)))
		h := &house{network: new(simulator.Network)}
		for i, m := range []simulator.Model{simulator.P110, simulator.P110TPAP, simulator.P110Passthrough} {
			h.plugs = append(h.plugs, startPlug(t, &simulator.Plug{
				Model: m, Latency: latency, Network: h.network, Listen: fmt.Sprintf("192.0.2.%d:80", i+1),
				TPAP: simulator.TPAPOptions{Iterations: 10}, Load: simulator.Constant(60),
			}))
		}
		change = append([]func(*Options){func(o *Options) { o.DialContext, o.TimeoutOffset = h.network.DialContext, 500*time.Millisecond }}, change...)
		h.fixture = newFixture(t, houseYAML(password), change...)
		test(t, h)
	})
}

func houseYAML(password string) string {
	return fmt.Sprintf(`
auths: {home: {username: %s, password: %s}}
targets:
  - {name: a, address: 192.0.2.1}
  - {name: b, address: 192.0.2.2}
  - {name: c, address: 192.0.2.3, allow_passthrough: true}
`, username, password)
}

// probe probes with the timeout of a scrape, and returns the body and how long
// it took.
func (h *house) probe(target, timeout string) (string, time.Duration) {
	start := time.Now()
	body := h.get("/probe?target="+target, timeoutHeader, timeout).Body.String()
	return body, time.Since(start)
}

// up probes and reports whether the plug was read.
func (h *house) up(target string) bool {
	body, _ := h.probe(target, "10")
	return strings.Contains(body, "tapo_up 1\n")
}

// street is addresses of plugs that reply to discovery probes.
type street struct {
	t    *testing.T
	net  int // 127.0.net.x
	port int // of UDP
}

// newStreet has no port in use yet.
func newStreet(t *testing.T, net int) street { t.Helper(); return street{t, net, 20002} }

func (s street) host(n int) string { return fmt.Sprintf("127.0.%d.%d", s.net, n) }

// plug starts a plug at the n-th address.
func (s street) plug(n int, p *simulator.Plug) *simulator.Plug {
	s.t.Helper()
	p.Listen, p.Discovery = s.host(n)+":0", fmt.Sprintf("%s:%d", s.host(n), s.port)
	return startPlug(s.t, p)
}

// yaml is a discovery section that asks the first so many addresses.
func (s street) yaml(more string, addresses int) string {
	all := make([]string, addresses)
	for i := range all {
		all[i] = s.host(i + 1)
	}
	return fmt.Sprintf("discovery: {%s, addresses: [%s]}\n", more, strings.Join(all, ", "))
}

// mac returns what a plug replies as its MAC.
func mac(t *testing.T, p *simulator.Plug) string {
	t.Helper()
	found := ""
	err := discovery.Search{Addresses: []string{p.DiscoveryAddr().String()}, Timeout: 100 * time.Millisecond}.Run(t.Context(), func(d discovery.Device) { found = d.MAC })
	if err != nil || found == "" {
		t.Fatalf("no MAC: %v", err)
	}
	return found
}

// run starts an exporter that searches.
func run(t *testing.T, yaml string) *fixture {
	t.Helper()
	f := newFixture(t, yaml)
	f.finder.time, f.finder.pause, f.namePause = 500*time.Millisecond, 100*time.Millisecond, time.Second // who replies does so at once
	go f.Run(t.Context())
	return f
}

// sd returns what /sd says, by instance.
func (f *fixture) sd(t *testing.T) map[string]map[string]string {
	t.Helper()
	var groups []targetGroup
	if err := json.Unmarshal(f.get("/sd").Body.Bytes(), &groups); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]string{}
	for _, g := range groups {
		all[g.Labels["instance"]] = g.Labels
	}
	if len(all) != len(groups) {
		t.Errorf("instances are not unique: %v", groups)
	}
	return all
}

// eventually waits for something that a search brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("never: " + what)
		}
	}
}

// probed returns the exposition of a target.
func (f *fixture) probed(target string) string { return f.get("/probe?target=" + target).Body.String() }
