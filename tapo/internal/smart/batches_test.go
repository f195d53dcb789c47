// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestFirstP300HangsOnBatches: P300 1.0.7 is read although it hangs on batches, by
// every read.
func TestFirstP300HangsOnBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := plugtest.NewHome(t, simulator.P300First)
		for range 3 {
			if got := h.Reason(h.Device); got != plugtest.OK {
				t.Error(got)
			}
			h.Plug.LoseSession()
		}
	})
}

// TestHangingBatches: another plug that hangs on batches is found out within the
// probe, and left alone with them for ten minutes, and then for a day.
func TestHangingBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := simulator.P110
		m.HangsOnBatches = true
		h := plugtest.NewHome(t, m)
		h.Reason(h.Device) // the first batch of all is answered
		probe := func(after time.Duration, works bool, most int) {
			t.Helper()
			time.Sleep(after)
			before := h.Plug.Stats().Requests
			if got, took := h.Reason(h.Device), h.Plug.Stats().Requests-before; (got == plugtest.OK) != works || took > most {
				t.Errorf("%s after %d requests, want %t after %d", got, took, works, most)
			}
		}
		probe(15*time.Second, false, 6) // it may be slow
		probe(15*time.Second, false, 6) // or not
		for range 30 {
			probe(15*time.Second, true, 5)
		}
		probe(10*time.Minute, false, 6) // it may have been the network
		for range 23 {
			probe(time.Hour, true, 5)
		}
	})
}
