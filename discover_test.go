// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
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

// scheme returns an edit of the reply's mgt_encrypt_schm.
func scheme(value any) func(map[string]any) {
	return func(reply map[string]any) { reply["mgt_encrypt_schm"] = value }
}

// TestDiscoverOddReplies: every reply gives a whole line in the table, and a file that the
// exporter loads, in which only what can be read is a target.
func TestDiscoverOddReplies(t *testing.T) {
	t.Setenv("TAPO_USERNAME", "u")
	t.Setenv("TAPO_PASSWORD", "p")
	set := func(name string, value any) func(map[string]any) {
		return func(reply map[string]any) { reply[name] = value }
	}
	setUpMode := func(owner any) func(map[string]any) {
		return func(reply map[string]any) { reply["factory_default"], reply["owner"] = true, owner }
	}
	const (
		asked             = "announces no protocol: the exporter asks the plug"
		newAES            = "announces AES, which its new firmware may not speak: the exporter asks the plug"
		setUp             = "not set up yet: add it in the Tapo app"
		typeless, macless = "reports no type of device", "no plug, or one that reports no MAC address"
	)
	cases := map[string]struct {
		edit     func(map[string]any)
		protocol string
		remark   string
		target   bool
	}{
		"TP15 1.4.2": {func(reply map[string]any) {
			scheme(map[string]any{"is_support_https": false, "encrypt_type": "AES", "http_port": 22200, "lv": 2})(reply)
			reply["protocol_version"], reply["tpap_preferred"] = 1, false
		}, "unknown", newAES, true},
		"AES, a version alone": {func(reply map[string]any) {
			scheme(map[string]any{"encrypt_type": "AES"})(reply)
			reply["protocol_version"] = 2
		}, "unknown", newAES, true},
		"AES, a preference alone": {func(reply map[string]any) {
			scheme(map[string]any{"encrypt_type": "AES"})(reply)
			reply["tpap_preferred"] = true
		}, "unknown", newAES, true},
		"AES":                       {scheme(map[string]any{"encrypt_type": "AES"}), "passthrough", "old firmware: update it, or see allow_passthrough", true},
		"KLAP of the new firmware":  {set("tpap_preferred", false), "klap", "", true},
		"no scheme":                 {func(reply map[string]any) { delete(reply, "mgt_encrypt_schm") }, "unknown", asked, true},
		"scheme null":               {scheme(nil), "unknown", asked, true},
		"scheme a number":           {scheme(5), "unknown", asked, true},
		"scheme a list":             {scheme([]any{"KLAP"}), "unknown", asked, true},
		"scheme a text":             {scheme("KLAP"), "unknown", asked, true},
		"scheme empty":              {scheme(map[string]any{}), "unknown", asked, true},
		"encrypt_type null":         {scheme(map[string]any{"encrypt_type": nil}), "unknown", asked, true},
		"encrypt_type a number":     {scheme(map[string]any{"encrypt_type": 3, "http_port": "x", "lv": []any{}}), "unknown", asked, true},
		"encrypt_type a list":       {scheme(map[string]any{"encrypt_type": []any{"3"}}), "unknown", asked, true},
		"encrypt_type empty":        {scheme(map[string]any{"encrypt_type": ""}), "unknown", asked, true},
		"encrypt_type blank":        {scheme(map[string]any{"encrypt_type": " \n"}), "unknown", asked, true},
		"encrypt_type new":          {scheme(map[string]any{"encrypt_type": "QUIC"}), "unknown", "announces the unknown protocol QUIC: the exporter asks the plug", true},
		"not set up":                {setUpMode(""), "klap", setUp, false},
		"not set up, owner null":    {setUpMode(nil), "klap", setUp, false},
		"not set up, owner a list":  {setUpMode([]any{}), "klap", setUp, false},
		"not set up, no owner":      {func(reply map[string]any) { setUpMode("")(reply); delete(reply, "owner") }, "klap", setUp, false},
		"not set up, AES":           {func(reply map[string]any) { setUpMode("")(reply); scheme(map[string]any{"encrypt_type": "AES"})(reply) }, "passthrough", setUp, false},
		"not set up, nothing known": {func(reply map[string]any) { setUpMode("")(reply); scheme(nil)(reply) }, "unknown", setUp, false},
		"set up, no owner":          {set("owner", ""), "klap", "", true},
		"model null":                {set("device_model", nil), "klap", "", true},
		"model empty":               {set("device_model", ""), "klap", "", true},
		"model a region":            {set("device_model", "(EU)"), "klap", "", true},
		"type null":                 {set("device_type", nil), "klap", typeless, false},
		"type a number":             {set("device_type", 1), "klap", typeless, false},
		"type empty":                {set("device_type", ""), "klap", typeless, false},
		"MAC null":                  {set("mac", nil), "klap", macless, false},
		"MAC a list":                {set("mac", []any{}), "klap", macless, false},
		"new type":                  {set("device_type", "SMART.TAPOFAN"), "klap", "no plug", false},
	}
	names := slices.Sorted(maps.Keys(cases))
	args := []string{"--timeout=500ms"}
	for i, name := range names {
		host := fmt.Sprintf("127.0.81.%d:0", i+1)
		p := startPlug(t, &simulator.Plug{Listen: host, Discovery: host, EditReply: cases[name].edit})
		args = append(args, "--address", p.DiscoveryAddr().String())
	}
	table, _ := ended(t, 0, append([]string{"discover"}, args...)...)
	yaml, _ := ended(t, 0, append([]string{"discover", "--format=yaml"}, args...)...)
	path := filepath.Join(t.TempDir(), "targets.yml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, os.LookupEnv)
	if err != nil {
		t.Fatalf("%v in\n%s", err, yaml)
	}
	lines := strings.Split(table, "\n")
	if len(lines) != len(cases)+2 {
		t.Fatalf("%d lines:\n%s", len(lines), table)
	}
	for i, name := range names {
		tc, host := cases[name], fmt.Sprintf("127.0.81.%d", i+1)
		columns := regexp.MustCompile(` {2,}`).Split(lines[i+1], -1)
		if len(columns) != 6 || !strings.HasPrefix(columns[2], host) || columns[4] != tc.protocol || columns[5] != tc.remark {
			t.Errorf("%s: want %s, %q in\n%q", name, tc.protocol, tc.remark, columns)
		}
		if target := slices.ContainsFunc(c.Targets, func(t config.Target) bool { return t.Address == columns[2] }); target != tc.target {
			t.Errorf("%s: target %t", name, target)
		}
		block := ""
		for part := range strings.SplitSeq(strings.ReplaceAll(yaml, "\n# ", "\n  - name: "), "\n  - name: ") {
			if strings.Contains(part+"\n", "    address: "+columns[2]+"\n") || strings.Contains(part, " at "+columns[2]+": ") {
				block = part + "\n"
			}
		}
		if !strings.Contains(block, tc.remark+"\n") || strings.Contains(block, "# allow_passthrough:") != (tc.target && tc.protocol == "passthrough") {
			t.Errorf("%s: want %q in\n%s", name, tc.remark, block)
		}
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
