// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

const (
	username = "user@example.com"
	password = "Test-Passw0rd!"

	auths = "auths: {home: {username: " + username + ", password: " + password + "}}\n"

	aMAC = "AA-BB-CC-00-11-22"
	// searchTime is for searches in tests: simulated plugs reply at once.
	searchTime = 500 * time.Millisecond
)

// TestMain runs more tests in parallel than there are processors: they wait for
// searches and for plugs most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	flag.Parse() // -parallel overrides it
	m.Run()
}

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

// home is simulated plugs and an exporter that reads them.
type home struct {
	*Exporter
	path   string // of the configuration
	log    *hometest.Buffer
	subnet int // of plugs that reply to searches: 127.0.subnet.x
}

// newHome makes an exporter of a configuration in YAML.
func newHome(t testing.TB, yaml string, change ...func(*Options)) *home {
	t.Helper()
	h := &home{}
	h.start(t, yaml, change...)
	return h
}

// newSearchableHome is for plugs that reply to searches. It has no exporter before
// run.
func newSearchableHome(subnet int) *home { return &home{subnet: subnet} }

// run starts an exporter that searches.
func (h *home) run(t *testing.T, yaml string) {
	t.Helper()
	h.start(t, yaml, func(o *Options) {
		o.searchTime, o.searchPause = searchTime, 100*time.Millisecond
	})
	go h.Run(t.Context())
}

func shortSearches(o *Options) {
	o.searchTime, o.searchPause = searchTime, 100*time.Millisecond
}

func (h *home) start(t testing.TB, yaml string, change ...func(*Options)) {
	t.Helper()
	h.path, h.log = filepath.Join(t.TempDir(), "targets.yml"), &hometest.Buffer{}
	h.write(t, yaml)
	logger := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	store := config.NewStore(func() string { return h.path }, logger)
	opts := Options{Store: store, HistoryLimit: 10, Logger: logger}
	for _, c := range change {
		c(&opts)
	}
	h.Exporter = New(opts)
	if err := store.Reload(); err != nil {
		t.Fatal(err)
	}
}

// write writes the configuration.
func (h *home) write(t testing.TB, yaml string) {
	t.Helper()
	if err := os.WriteFile(h.path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
}

// host is the n-th address of the subnet.
func (h *home) host(n int) string { return fmt.Sprintf("127.0.%d.%d", h.subnet, n) }

// plug starts a plug at the n-th address, which replies to searches.
func (h *home) plug(t testing.TB, n int, p *simulator.Plug) *simulator.Plug {
	t.Helper()
	p.Listen, p.Discovery = h.host(n)+":0", h.discoveryAddress(n)
	return startPlug(t, p)
}

// discoveryAddress is where the n-th plug replies to searches.
func (h *home) discoveryAddress(n int) string {
	return fmt.Sprintf("%s:%d", h.host(n), discovery.Port)
}

// hosts are the first so many addresses.
func (h *home) hosts(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = h.host(i + 1)
	}
	return all
}

// discoveryYAML is a discovery section that asks the first so many addresses.
func (h *home) discoveryYAML(more string, addresses int) string {
	return fmt.Sprintf("discovery: {%s, addresses: [%s]}\n", more, strings.Join(h.hosts(addresses), ", "))
}

// get asks the handler directly.
func (h *home) get(path string, header ...string) *httptest.ResponseRecorder {
	return h.do(http.MethodGet, path, header...)
}

func (h *home) do(method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// want gets a path and wants a status and texts in the answer.
func (h *home) want(t testing.TB, path string, status int, texts ...string) string {
	t.Helper()
	w := h.get(path)
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

// probed returns the exposition of a target.
func (h *home) probed(target string) string { return h.get("/probe?target=" + target).Body.String() }

// labelsInSD returns the labels that /sd gives, by instance.
func (h *home) labelsInSD(t *testing.T) map[string]map[string]string {
	t.Helper()
	var groups []targetGroup
	if err := json.Unmarshal(h.get("/sd").Body.Bytes(), &groups); err != nil {
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

// targetYAML is a configuration with one target per plug, named a, b and so on.
func targetYAML(plugs ...*simulator.Plug) string {
	yaml := auths + "targets:\n"
	for i, p := range plugs {
		yaml += fmt.Sprintf("  - {name: %c, address: '%s', allow_passthrough: %t}\n", 'a'+i, p.Addr(), p.Model.Protocol == simulator.Passthrough)
	}
	return yaml
}

// reply is what a plug replies to a search.
func reply(mac, address string) discovery.Device {
	return discovery.Device{MAC: mac, Type: "SMART.TAPOPLUG", Model: "P110", Encryption: "KLAP", Address: netip.MustParseAddrPort(address)}
}
