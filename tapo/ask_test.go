// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestRoundTrips(t *testing.T) {
	for _, tc := range []struct {
		model      simulator.Model
		cold, warm int
	}{
		{simulator.P110, 4, 1},
		{simulator.P110NoEmeter, 4, 1},
		{simulator.P110Compatible, 4, 1},
		{simulator.P115, 4, 1},
		{simulator.P105, 4, 1},
		{simulator.P100, 4, 1},
		{simulator.P110Passthrough, 5, 1},
		{simulator.P115Passthrough, 5, 1},
		{simulator.P100Passthrough, 5, 1},
		{simulator.P110Old, 7, 1}, // two logins: it takes version 1 only
	} {
		t.Run(tc.model.Name+" "+tc.model.Firmware, func(t *testing.T) {
			p := plugtest.Start(t, &simulator.Plug{Model: tc.model, Load: simulator.Constant(60)})
			d := plugtest.Device(t, p)
			if got := plugtest.Requests(p, func() { plugtest.Read(t, d) }); got != tc.cold {
				t.Errorf("cold: %d round trips, want %d", got, tc.cold)
			}
			for range 3 {
				if got := plugtest.Requests(p, func() { plugtest.Read(t, d) }); got != tc.warm {
					t.Errorf("warm: %d round trips, want %d", got, tc.warm)
				}
			}
			if got := p.Stats().Logins; got != 1 {
				t.Errorf("%d logins, want 1", got)
			}
		})
	}
}
