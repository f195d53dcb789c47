// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/internal/check"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestCheck(t *testing.T) {
	t.Parallel()
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
}

// TestCheckDiscovered checks plugs that nobody listed.
func TestCheckDiscovered(t *testing.T) {
	t.Parallel()
	plugs, _ := discoverable(t, simulator.P110, simulator.P110TPAP, simulator.P100Old, simulator.P304M, simulator.L530)
	addresses := make([]string, len(plugs))
	for i, p := range plugs {
		addresses[i] = p.DiscoveryAddr().String()
	}
	path := filepath.Join(t.TempDir(), "targets.yml")
	text := "auths: {home: {username: u, password: p}}\ndiscovery: {enabled: true, addresses: [" + strings.Join(addresses, ", ") + "]}"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if report, _ := ended(t, 1, "check", "--config.file="+path); !strings.Contains(report, "\n3 of 4 targets are good; not good: p100-") {
		t.Error(report)
	}
}

// TestCheckManyFound: anybody can reply to a search, so not all that is found is read.
func TestCheckManyFound(t *testing.T) {
	t.Parallel()
	addresses := make([]string, maxFound+3)
	for i := range addresses {
		listen := fmt.Sprintf("127.0.84.%d:0", i+1)
		p := startPlug(t, &simulator.Plug{Listen: listen, Discovery: listen, Name: listen})
		addresses[i] = p.DiscoveryAddr().String()
	}
	path := filepath.Join(t.TempDir(), "targets.yml")
	text := "auths: {home: {username: u, password: p}}\ndiscovery: {enabled: true, addresses: [" + strings.Join(addresses, ", ") + "]}"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	report, log := ended(t, 0, "check", "--config.file="+path)
	if !strings.Contains(report, "\n64 of 64 targets are good") || strings.Count(log, "list them in targets.yml") != 1 {
		t.Errorf("%s\n%s", report, log)
	}
}

// TestCheckOddReplies: a plug is checked by what it answers, not by what it announces, and
// one in set-up mode is not checked.
func TestCheckOddReplies(t *testing.T) {
	t.Parallel()
	announced := func(encryption any) func(map[string]any) {
		return func(reply map[string]any) {
			reply["mgt_encrypt_schm"].(map[string]any)["encrypt_type"], reply["protocol_version"] = encryption, 1
		}
	}
	addresses, mute := []string{}, ""
	for i, p := range []*simulator.Plug{
		{EditReply: announced(nil)},
		{EditReply: announced("QUIC")},
		{EditReply: announced([]any{}), Model: simulator.P110TPAP},
		{EditReply: announced("AES"), Model: simulator.P110Compatible},
		{EditReply: announced("AES"), Model: simulator.P110Compatible},
		{EditReply: func(reply map[string]any) { reply["factory_default"], reply["owner"] = true, "" }},
	} {
		p.Listen, p.Discovery = fmt.Sprintf("127.0.83.%d:0", i+1), fmt.Sprintf("127.0.83.%d:0", i+1)
		p.Name = p.Listen
		startPlug(t, p)
		addresses = append(addresses, p.DiscoveryAddr().String())
		if i == 4 { // as a TP15 with firmware 1.4.2 (python-kasa/python-kasa#1653)
			p.Inject(simulator.Fault{Kind: simulator.HTML, Path: "/app/handshake1"})
			mute = p.Addr().String()
		}
	}
	path := filepath.Join(t.TempDir(), "targets.yml")
	text := "auths: {home: {username: u, password: p}}\ndiscovery: {enabled: true, addresses: [" + strings.Join(addresses, ", ") + "]}"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	report, _ := ended(t, 1, "check", "--config.file="+path)
	if !strings.Contains(report, "\n4 of 5 targets are good; not good: p110-") || !strings.Contains(report, "unsupported: ") ||
		strings.Contains(report, "allow_passthrough") || !strings.Contains(report, mute) {
		t.Error(report)
	}
	text = strings.Replace(text, strings.Join(addresses[:5], ", ")+", ", "", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr := ended(t, 1, "check", "--config.file="+path); !strings.Contains(stderr, "discovery has found no plug") {
		t.Error(stderr)
	}
}

// TestCheckWithoutFile takes the account from the environment.
func TestCheckWithoutFile(t *testing.T) {
	good := startPlug(t, &simulator.Plug{})
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
}
