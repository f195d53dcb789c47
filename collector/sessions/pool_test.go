// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestClose waits for a login that no probe waits for any more, and has none begin.
func TestClose(t *testing.T) {
	inHome(t, 0, func(t *testing.T, h *home) {
		plug := h.plugs[1]
		plug.Inject(simulator.Fault{Kind: simulator.Slow, Delay: 3 * time.Second, Path: "pake_share"})
		h.probe("b", time.Second)
		if err := h.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if s := plug.Stats(); s.Logins != 1 {
			t.Errorf("%d logins when closed", s.Logins)
		}
		synctest.Wait() // until then another probe may share the read that has just ended
		result, _ := h.probe("b", fullTimeout)
		if !errors.Is(result.Err, errStopping) {
			t.Errorf("a read after that: %v", result.Err)
		}
	})
	inHome(t, 0, func(t *testing.T, h *home) {
		h.plugs[0].Inject(simulator.Fault{Kind: simulator.Hang})
		go h.up("a")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a read that goes on: %v", err)
		}
		time.Sleep(time.Minute)
	})
}
