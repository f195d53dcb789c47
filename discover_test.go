// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// discoverable starts plugs that reply to discovery probes.
func discoverable(t *testing.T, models ...simulator.Model) (plugs []*simulator.Plug, args []string) {
	t.Helper()
	for i, m := range models {
		host := fmt.Sprintf("127.0.79.%d:0", i+1)
		p := startPlug(t, &simulator.Plug{Model: m, Name: host, Listen: host, Discovery: host})
		plugs, args = append(plugs, p), append(args, "--address", p.DiscoveryAddr().String())
	}
	return plugs, args
}

func TestDiscover(t *testing.T) {
	t.Setenv("TAPO_USERNAME", "u") // that of the plugs
	t.Setenv("TAPO_PASSWORD", "p")
	plugs, args := discoverable(t, simulator.P110, simulator.P110TPAP, simulator.P100Old, simulator.P304M, simulator.L530,
		simulator.Model{Name: "C200", Type: "SMART.IPCAMERA"})
	foreign := &simulator.Plug{Listen: "127.0.79.9:0", Discovery: "127.0.79.9:0", Username: "somebody", Password: "x"}
	if err := foreign.Start(); err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	args = append(args, "--address", foreign.DiscoveryAddr().String(), "--timeout=300ms")

	table, progress := ended(t, 0, append([]string{"discover"}, args...)...)
	if lines := strings.Split(table, "\n"); len(lines) != 9 || !strings.HasPrefix(lines[0], "NAME ") {
		t.Errorf("%s", table)
	}
	for _, want := range []string{
		"P110(AU)", "tpap", "P304M(UK)", plugs[0].Addr().String(), "passthrough", "old firmware: update it", "no plug", "of another account",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	if !strings.Contains(progress, "300ms") || !strings.Contains(progress, "  P304M at "+plugs[3].Addr().String()) {
		t.Errorf("progress: %s", progress)
	}

	text, _ := ended(t, 0, append([]string{"discover", "--format=json"}, args...)...)
	var devices []discovery.Device
	if err := json.Unmarshal([]byte(text), &devices); err != nil || len(devices) != 7 || devices[0].Address != plugs[0].Addr() || strings.Contains(text, "owner") {
		t.Errorf("%v: %s", err, text)
	}

	yaml, _ := ended(t, 0, append([]string{"discover", "--format=yaml"}, args...)...)
	path := filepath.Join(t.TempDir(), "targets.yml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, os.LookupEnv)
	if err != nil {
		t.Fatalf("%v in\n%s", err, yaml)
	}
	var addresses []string
	for _, target := range c.Targets {
		addresses = append(addresses, target.Address)
	}
	if want := []string{plugs[0].Addr().String(), plugs[1].Addr().String(), plugs[2].Addr().String(), plugs[3].Addr().String()}; !slices.Equal(addresses, want) {
		t.Errorf("targets %v, want %v", addresses, want)
	}
	for _, want := range []string{"# P110(EU), tpap\n", "# P100, passthrough, old firmware", "# allow_passthrough: true", "# L530 at ", "    # mac: " + devices[0].MAC} {
		if !strings.Contains(yaml, want) {
			t.Errorf("no %q in\n%s", want, yaml)
		}
	}
	report, _ := ended(t, 1, "check", "--config.file="+path)
	if got := strings.Count(report, "✓ clock"); got != 3 || !strings.Contains(report, "passthrough_not_allowed") {
		t.Errorf("%d of the targets are good:\n%s", got, report)
	}
	mac := filepath.Join(t.TempDir(), "mac.yml") // as the comments say
	swapped := strings.ReplaceAll(strings.ReplaceAll(yaml, "    address: ", "    # address: "), "    # mac: ", "    mac: ")
	if err := os.WriteFile(mac, []byte(swapped), 0o600); err != nil {
		t.Fatal(err)
	}
	if report, _ := ended(t, 0, "check", "--config.file="+mac, c.Targets[0].Name); !strings.Contains(report, devices[0].MAC+" is at "+plugs[0].Addr().String()) {
		t.Error(report)
	}
}

func TestDiscoverWithoutAccount(t *testing.T) {
	t.Setenv("TAPO_USERNAME", "")
	os.Unsetenv("TAPO_USERNAME")
	plugs, args := discoverable(t, simulator.P110)
	yaml, _ := ended(t, 0, append([]string{"discover", "--format=yaml", "--timeout=200ms"}, args...)...)
	path := filepath.Join(t.TempDir(), "targets.yml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := ended(t, 0, "--config.check", "--config.file="+path)
	if !strings.Contains(out, `warning: auth "home": the password is still the example's`) {
		t.Error(out)
	}
	if report, _ := ended(t, 1, "check", "--config.file="+path); !strings.Contains(report, "still the example's") || plugs[0].Stats().Requests > 0 {
		t.Error(report)
	}
}

func TestDiscoverNobody(t *testing.T) {
	t.Parallel()
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0") // who does not reply
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for _, format := range []string{"table", "yaml", "json"} {
		stdout, stderr := ended(t, 1, "discover", "--timeout=100ms", "--format="+format, "--address="+udp.LocalAddr().String())
		if !strings.Contains(stderr, "nobody has replied") || format == "json" && stdout != "[]\n" || format == "yaml" && !strings.Contains(stdout, "targets: []") {
			t.Errorf("%s: %q, %q", format, stdout, stderr)
		}
	}
}

func TestDiscoverUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"want an IPv4 address":       {"--address=plug.lan"},
		"--timeout must be positive": {"--timeout=-1s"},
		"enum value must be one of":  {"--format=xml"},
	} {
		if _, stderr := ended(t, 2, append([]string{"discover"}, args...)...); !strings.Contains(stderr, want) {
			t.Errorf("%v: %s", args, stderr)
		}
	}
}
