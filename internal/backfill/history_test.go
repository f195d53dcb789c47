// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestLargestStrip counts what six outlets take. The pauses pass in simulated
// time.
func TestLargestStrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Date(2026, 9, 16, 12, 10, 0, 0, time.UTC)
		time.Sleep(time.Until(now))
		network := new(simulator.Network)
		p := &simulator.Plug{Model: simulator.P316M, Network: network, Listen: "192.0.2.1:80", Username: "u", Password: "p", SetUp: now.AddDate(0, 0, -3)}
		for range p.Model.Strip.Outlets {
			p.Outlets = append(p.Outlets, simulator.Outlet{Load: simulator.Constant(60)})
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		device, err := tapo.New(tapo.Config{Address: "192.0.2.1", Credentials: tapo.Credentials{Username: "u", Password: "p"}, DialContext: network.DialContext})
		if err != nil {
			t.Fatal(err)
		}
		defer device.Close()
		outlets, err := Read(t.Context(), device, everything(now))
		if err != nil || len(outlets) != 6 || len(outlets[5].Energy) < 500 || len(outlets[5].Power) < 500 {
			t.Errorf("%d outlets, %v", len(outlets), err)
		}
		if got := p.Stats().Requests; got > 47 { // seven of them are a read
			t.Errorf("%d requests", got)
		}
		if took := time.Since(now); took < 6*5*250*time.Millisecond {
			t.Errorf("six requests for each of six outlets in %v", took)
		}
	})
}
