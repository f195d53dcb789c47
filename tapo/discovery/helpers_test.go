// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"net/netip"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

var here = netip.MustParseAddr("127.0.0.1")

func startPlug(t *testing.T, p *simulator.Plug) *simulator.Plug {
	t.Helper()
	p.Username, p.Password = "user@example.com", "secret"
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}
