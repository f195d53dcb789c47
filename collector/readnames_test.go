// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// TestNamingEnds with the probe that wants it, and is done some at a time.
func TestNamingEnds(t *testing.T) {
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
	for i := range 100 {
		h.locator.RecordReply(reply(fmt.Sprintf("AA-BB-CC-00-00-%02X", i), fmt.Sprintf("10.0.0.%d:80", i+1)))
	}
	h.want(t, "/probe?target=unknown", 400)
	if dials.Load() > 16 || most.Load() > 8 {
		t.Errorf("%d dials, %d at a time", dials.Load(), most.Load())
	}
	tried := 100 - len(h.locator.Unread(0))
	if tried > 16 {
		t.Errorf("%d plugs count as tried", tried)
	}
}
