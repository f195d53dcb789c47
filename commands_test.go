// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/internal/check"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// ended runs the program to its end and wants an exit code.
func ended(t *testing.T, exit int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(t.Context(), args, &out, &errs); got != exit {
		t.Errorf("%v: exit %d, want %d\n%s%s", args, got, exit, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

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
	found := filepath.Join(t.TempDir(), "found.yml") // nothing is listed
	all := make([]string, 0, len(plugs))
	for _, p := range plugs {
		all = append(all, p.DiscoveryAddr().String())
	}
	if err := os.WriteFile(found, []byte("discovery: {enabled: true, addresses: ["+strings.Join(all, ", ")+"]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if report, _ := ended(t, 1, "check", "--config.file="+found); !strings.Contains(report, "\n3 of 4 targets are good; not good: p100-") {
		t.Error(report)
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

func TestCheck(t *testing.T) {
	good := startPlug(t, &simulator.Plug{Name: "Good", Load: simulator.Constant(60)})
	tpap := startPlug(t, &simulator.Plug{Model: simulator.P110TPAP})
	bad := &simulator.Plug{Username: "U", Password: "p"}
	if err := bad.Start(); err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	path := filepath.Join(t.TempDir(), "targets.yml")
	writeConfig(t, path, good, tpap, bad)

	report, _ := ended(t, 1, "check", "--config.file="+path)
	if strings.Count(report, "✓") != 8+8+4 || strings.Count(report, "✗") != 1 || !strings.Contains(report, "bad_credentials: ") || strings.Contains(report, "\x1b") {
		t.Error(report)
	}
	if one, two, three := strings.Index(report, "plug0"), strings.Index(report, "plug1"), strings.Index(report, "plug2"); one < 0 || two < one || three < two {
		t.Errorf("in another order:\n%s", report)
	}
	if report, _ = ended(t, 0, "check", "--config.file="+path, "plug0", tpap.Addr().String()); strings.Count(report, "✓") != 16 || strings.Contains(report, "plug2") {
		t.Error(report)
	}

	text, _ := ended(t, 1, "check", "--config.file="+path, "--format=json")
	var reports []check.Report
	if err := json.Unmarshal([]byte(text), &reports); err != nil || len(reports) != 3 || !reports[0].OK || reports[2].OK || reports[2].Reason != "bad_credentials" {
		t.Errorf("%v: %s", err, text)
	}

	if _, stderr := ended(t, 2, "--config.file="+path, "check"); !strings.Contains(stderr, "the command goes before its flags") {
		t.Error(stderr)
	}
	if _, stderr := ended(t, 2, "check", "--config.file="+path, "Plug0"); !strings.Contains(stderr, `listed: "plug0" "plug1" "plug2"`) {
		t.Error(stderr)
	}
	if !strings.HasSuffix(report, "\n2 of 2 targets are good\n") {
		t.Error(report)
	}

	t.Setenv("TAPO_USERNAME", "u")
	t.Setenv("TAPO_PASSWORD", "p")
	t.Chdir(t.TempDir())
	ended(t, 0, "check", good.Addr().String()) // the account is all that is needed
	if _, stderr := ended(t, 1, "check"); !strings.Contains(stderr, "no targets are listed") {
		t.Error(stderr)
	}
	for want, args := range map[string][]string{
		"neither an address nor listed": {"http://x/"},
		`"kettle" is neither`:           {"kettle"},
		"unknown --auth":                {"--auth=x"},
		"--timeout must be positive":    {"--timeout=0s"},
		"enum value must be one of":     {"--format=xml"},
	} {
		if _, stderr := ended(t, 2, append([]string{"check"}, args...)...); !strings.Contains(stderr, want) {
			t.Errorf("%v: %s", args, stderr)
		}
	}
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
