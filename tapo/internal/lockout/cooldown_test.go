// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"testing"
	"time"
)

func TestCooldown(t *testing.T) {
	var c Cooldown
	now := time.Date(2026, 7, 4, 10, 0, 0, 0, time.UTC)
	if _, ok := c.Allow(now); !ok {
		t.Error("a cooldown that follows nothing")
	}
	for _, seconds := range []int{10, 20, 40, 80, 160, 300, 300} {
		c.Record(now)
		end := now.Add(time.Duration(seconds) * time.Second)
		if until, ok := c.Allow(end.Add(-time.Nanosecond)); ok || !until.Equal(end) {
			t.Errorf("within %d seconds: until %v, %t", seconds, until, ok)
		}
		if _, ok := c.Allow(end); !ok {
			t.Errorf("not over after %d seconds", seconds)
		}
		now = end.Add(time.Second)
	}
	c.End(now)
	c.Record(now)
	if until, _ := c.Allow(now); !until.Equal(now.Add(10 * time.Second)) {
		t.Errorf("the first one after a success lasts until %v", until)
	}
}

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
