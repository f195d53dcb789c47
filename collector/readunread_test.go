// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestReadingUnread is done some at a time, ends with its context, and leaves nothing
// behind.
func TestReadingUnread(t *testing.T) {
	t.Parallel()
	var dials, atATime, most atomic.Int32
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		dials.Add(1)
		most.Store(max(most.Load(), atATime.Add(1)))
		defer atATime.Add(-1)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	h := newHome(t, auths+"discovery: {enabled: true}\n", func(o *Options) { o.DialContext, o.Timeout = dial, time.Second })
	var invented []config.Target
	for i := range 60 {
		address := fmt.Sprintf("10.0.0.%d:80", i+1)
		h.locator.RecordReply(reply(fmt.Sprintf("AA-BB-CC-00-00-%02X", i), address))
		target, _ := h.locator.FindTarget(h.store.Current(), address)
		invented = append(invented, target)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	h.readUnread(ctx)
	if dials.Load() > 16 || most.Load() > 8 {
		t.Errorf("%d dials, %d at a time", dials.Load(), most.Load())
	}
	if targets := h.labelsInSD(t); len(targets) != 0 {
		t.Errorf("targets that nobody has read: %v", targets)
	}
	for _, target := range invented {
		if state := h.sessions.State(target); state.Err != nil {
			t.Errorf("the failure of %s is kept: %v", target.Address, state.Err)
		}
	}
}

// TestProbeAfterRestart: a probe waits for the name of a discovered plug, until what
// the first search has found was read.
func TestProbeAfterRestart(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(104)
	h.plug(t, 1, &simulator.Plug{Name: "Lamp"})
	h.run(t, auths+h.discoveryYAML("enabled: true", 1))
	if text := h.probed("Lamp"); !strings.Contains(text, "tapo_up 1\n") {
		t.Error(text)
	}
	h.want(t, "/probe?target=Kettle", 400, "unknown target")
}
