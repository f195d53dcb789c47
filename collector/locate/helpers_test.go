// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

const (
	auths = "auths: {home: {username: user@example.com, password: Test-Passw0rd!}}\n"

	aMAC         = "AA-BB-CC-00-11-22"
	foreignOwner = "00000000000000000000000000000000"
)

// home is simulated plugs and a locator that looks for them.
type home struct {
	*Locator
	store    *config.Store
	path     string                   // of the configuration
	subnet   int                      // of plugs that reply to searches: 127.0.subnet.x
	readMACs map[string]string        // by the target's name
	readings map[string]*tapo.Reading // of reads that succeed, by address
}

// newHome makes a locator of a configuration in YAML.
func newHome(t testing.TB, yaml string) *home {
	t.Helper()
	h := &home{}
	h.start(t, yaml)
	return h
}

// newSearchableHome is for plugs that reply to searches. It has no locator before
// run.
func newSearchableHome(subnet int) *home { return &home{subnet: subnet} }

// run starts a locator that searches.
func (h *home) run(t *testing.T, yaml string) {
	t.Helper()
	h.start(t, yaml)
	go h.Run(t.Context())
}

func (h *home) start(t testing.TB, yaml string) {
	t.Helper()
	h.path = filepath.Join(t.TempDir(), "targets.yml")
	h.readMACs, h.readings = map[string]string{}, map[string]*tapo.Reading{}
	h.store = config.NewStore(func() string { return h.path }, slog.New(slog.DiscardHandler))
	h.Locator = New(Options{
		Store: h.store, Logger: slog.New(slog.DiscardHandler), SearchTime: 500 * time.Millisecond, SearchPause: 100 * time.Millisecond,
		ReadMAC: func(t config.Target) string { return h.readMACs[t.Name] },
	})
	h.store.OnChange(func(*config.Config) { h.Wake() })
	h.reload(t, yaml)
}

// reload takes another configuration.
func (h *home) reload(t testing.TB, yaml string) {
	t.Helper()
	if err := os.WriteFile(h.path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.store.Reload(); err != nil {
		t.Fatal(err)
	}
}

// host is the n-th address of the subnet.
func (h *home) host(n int) string { return fmt.Sprintf("127.0.%d.%d", h.subnet, n) }

// plug starts a plug at the n-th address, which replies to searches.
func (h *home) plug(t testing.TB, n int, p *simulator.Plug) *simulator.Plug {
	t.Helper()
	p.Listen, p.Discovery = h.host(n)+":0", fmt.Sprintf("%s:%d", h.host(n), discovery.Port)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// discoveryYAML is a discovery section that asks the first so many addresses.
func (h *home) discoveryYAML(more string, addresses int) string {
	all := make([]string, addresses)
	for i := range all {
		all[i] = h.host(i + 1)
	}
	return fmt.Sprintf("discovery: {%s, addresses: [%s]}\n", more, strings.Join(all, ", "))
}

// read reads a target's plug: at the addresses in readings that succeeds.
func (h *home) read(t *testing.T, target string) (address string, err *tapo.Error) {
	t.Helper()
	found, ok := h.FindTarget(h.store.Current(), target)
	if !ok {
		t.Fatalf("no target %q", target)
	}
	notFound := h.Read(t.Context(), found, func(located config.Target) (tapo.Reading, *tapo.Error) {
		address = located.Address
		if reading := h.readings[address]; reading != nil {
			err = nil
			return *reading, nil
		}
		err = &tapo.Error{Reason: tapo.Unreachable}
		return tapo.Reading{}, err
	})
	if notFound != nil {
		return "", notFound
	}
	return address, err
}

// addresses returns where the targets are, by name.
func (h *home) addresses(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	targets := h.Targets()
	for _, target := range targets {
		all[target.Name] = target.Address
		if target.MAC != "" {
			all[target.Name] = h.Address(target.MAC)
		}
	}
	if len(all) != len(targets) {
		t.Errorf("names are not unique: %v", targets)
	}
	return all
}

// readUnread reads the unread candidates, as the exporter does.
func (h *home) readUnread(t testing.TB) (reads int) {
	t.Helper()
	for target, ok := h.NextUnread(t.Context()); ok; target, ok = h.NextUnread(t.Context()) {
		reads++
		err := h.Read(t.Context(), target, func(located config.Target) (tapo.Reading, *tapo.Error) {
			if reading := h.readings[located.Address]; reading != nil {
				return *reading, nil
			}
			return tapo.Reading{}, unreachable
		})
		if err != nil {
			t.Error(err)
		}
	}
	return reads
}

// discover has a plug of discovery's account found and read.
func (h *home) discover(t testing.TB, mac, address, name string) {
	t.Helper()
	reading := readingOf(name)
	h.readings[address] = &reading
	h.RecordReply(reply(mac, address, ""))
	h.readUnread(t)
	if h.Address(mac) != address {
		t.Errorf("%s was not read", mac)
	}
}

// reply is what a plug replies to a search.
func reply(mac, address, owner string) discovery.Device {
	return discovery.Device{MAC: mac, Type: "SMART.TAPOPLUG", Model: "P110", Encryption: "KLAP", Owner: owner, Address: netip.MustParseAddrPort(address)}
}
