// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"testing"
	"time"
)

// TestCooldownEnds only by what began after it.
func TestCooldownEnds(t *testing.T) {
	now := time.Now()
	g := NewGuard("192.0.2.1:80", nil)
	g.Cooldown.Record(now)
	g.Cooldown.End(now.Add(-time.Second)) // a read that was under way
	if _, ok := g.Cooldown.Allow(now); ok || g.Idle() {
		t.Error("ended by a read that began before it")
	}
	g.Cooldown.End(now.Add(time.Second))
	if _, ok := g.Cooldown.Allow(now); !ok || !g.Idle() {
		t.Error("not ended by a read that began after it")
	}
}
