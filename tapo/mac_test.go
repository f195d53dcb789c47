// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestWantedMAC: another plug than the one that is wanted is never shown, and no
// password tried on it that it may count.
func TestWantedMAC(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P110, simulator.P110TPAP, simulator.P304M} {
		p := plugtest.Start(t, &simulator.Plug{Model: m, Outlets: []simulator.Outlet{{}}})
		mac := plugtest.Read(t, plugtest.Device(t, p)).Info.MAC
		logins := p.Stats().Logins
		d := plugtest.Device(t, p, func(c *tapo.Config) { c.MAC = "AA-BB-CC-00-11-22" })
		for range 2 {
			plugtest.Fails(t, d, tapo.NotAPlug)
		}
		if got := p.Stats().Logins - logins; m.Protocol == simulator.TPAP && got != 0 {
			t.Errorf("%s: %d logins", m.Name, got)
		}
		d = plugtest.Device(t, p, func(c *tapo.Config) { c.MAC = mac })
		plugtest.Read(t, d)
	}
	old := plugtest.Start(t, &simulator.Plug{Model: simulator.P110Passthrough})
	d := plugtest.Device(t, old, func(c *tapo.Config) { c.MAC, c.AllowPassthrough = "AA-BB-CC-00-11-22", true })
	plugtest.Fails(t, d, tapo.PassthroughNotAllowed)
	if got := old.Stats().Steps["handshake /app"]; got != 0 {
		t.Errorf("%d handshakes", got)
	}
	if _, err := tapo.New(tapo.Config{Address: "192.0.2.1", MAC: "x"}); err == nil {
		t.Error("any MAC will do")
	}
}
