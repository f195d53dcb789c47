// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo"
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

// startCountingPlug starts a plug that counts logins with a wrong password.
func startCountingPlug(t *testing.T) *simulator.Plug {
	t.Helper()
	return startPlug(t, &simulator.Plug{Model: simulator.P110TPAP, TPAP: simulator.TPAPOptions{Iterations: 10}})
}

// wantLoginFailures wants a plug to have counted so many.
func wantLoginFailures(t *testing.T, when string, p *simulator.Plug, want int) {
	t.Helper()
	if got := p.Stats().LoginFailures; got != want {
		t.Errorf("%s: the plug has counted %d failures, want %d", when, got, want)
	}
}

// The timeouts of probes. Reads have readTimeout in all homes with a
// TimeoutOffset.
const (
	fullTimeout = 9500 * time.Millisecond // of a scrape_timeout of 10s
	readTimeout = 9400 * time.Millisecond
)

// home is simulated plugs and the pool that reads them.
type home struct {
	*Pool
	config *config.Config
	log    *hometest.Buffer
	plugs  []*simulator.Plug // of inHome
}

// newHome makes a pool of a configuration in YAML.
func newHome(t testing.TB, yaml string, change ...func(*Options)) *home {
	t.Helper()
	h := &home{log: &hometest.Buffer{}}
	opts := Options{Timeout: 10 * time.Second, Logger: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, c := range change {
		c(&opts)
	}
	h.Pool = New(opts)
	h.reload(t, yaml)
	return h
}

// inHome runs a test in a bubble of testing/synctest, with plugs of every
// protocol. The targets are called a, b and c.
func inHome(t *testing.T, latency time.Duration, test func(t *testing.T, h *home), change ...func(*Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 7, 4, 10, 0, 0, 0, time.UTC)))
		network := new(simulator.Network)
		var plugs []*simulator.Plug
		for i, m := range []simulator.Model{simulator.P110, simulator.P110TPAP, simulator.P110Passthrough} {
			plugs = append(plugs, startPlug(t, &simulator.Plug{
				Model: m, Latency: latency, Network: network, Listen: fmt.Sprintf("192.0.2.%d:80", i+1),
				TPAP: simulator.TPAPOptions{Iterations: 10}, Load: simulator.Constant(60),
			}))
		}
		change = append([]func(*Options){func(o *Options) { o.DialContext, o.TimeoutOffset = network.DialContext, 500*time.Millisecond }}, change...)
		h := newHome(t, homeYAML(password), change...)
		h.plugs = plugs
		if h.readTimeout != readTimeout {
			t.Errorf("a read may take %v, want %v", h.readTimeout, readTimeout)
		}
		test(t, h)
	})
}

// homeYAML is the configuration of inHome.
func homeYAML(password string) string {
	return fmt.Sprintf(`
auths: {home: {username: %s, password: %s}}
targets:
  - {name: a, address: 192.0.2.1}
  - {name: b, address: 192.0.2.2}
  - {name: c, address: 192.0.2.3, allow_passthrough: true}
`, username, password)
}

// targetYAML is a configuration with one target per plug, named a, b and so on.
func targetYAML(plugs ...*simulator.Plug) string {
	yaml := auths + "targets:\n"
	for i, p := range plugs {
		yaml += fmt.Sprintf("  - {name: %c, address: '%s', allow_passthrough: %t}\n", 'a'+i, p.Addr(), p.Model.Protocol == simulator.Passthrough)
	}
	return yaml
}

// reload takes another configuration.
func (h *home) reload(t testing.TB, yaml string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "targets.yml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	h.config = c
	h.Retain(c)
}

// probe reads the plug of a listed target, or of an unlisted address with the
// only account, and returns how long that took.
func (h *home) probe(target string, timeout time.Duration) (Result, time.Duration) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	t, listed := h.config.Target(target)
	if !listed {
		auth, _ := h.config.OnlyAuth()
		t = config.Target{Name: target, Address: target, Auth: auth, Credentials: h.config.Auths[auth].Credentials(), Unlisted: true}
	}
	result := h.Read(ctx, t)
	return result, time.Since(start)
}

// up probes and reports whether the plug was read.
func (h *home) up(target string) bool {
	result, _ := h.probe(target, fullTimeout)
	return result.Err == nil
}

// want probes and wants a reason, "" if the plug is to be read.
func (h *home) want(t testing.TB, target string, reason tapo.Reason) {
	t.Helper()
	result, _ := h.probe(target, 10*time.Second)
	if got := reasonOf(result); got != reason {
		t.Errorf("%s: %q, want %q: %v", target, got, reason, result.Err)
	}
}

// reasonOf returns why a probe failed, "" if it did not.
func reasonOf(r Result) tapo.Reason {
	if r.Err == nil {
		return ""
	}
	return r.Err.Reason
}

// wantMetrics wants lines in the exposition of the pool, and returns that.
func (h *home) wantMetrics(t testing.TB, lines ...string) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(h.Pool)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	encoder := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := encoder.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range lines {
		if !strings.Contains(b.String(), "\n"+line+"\n") {
			t.Errorf("no %q in\n%s", line, b.String())
		}
	}
	return b.String()
}

// dialTo returns a change of the options that leads all connections to a plug.
func dialTo(p *simulator.Plug) func(*Options) {
	return func(o *Options) {
		o.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, p.Addr().String())
		}
	}
}
