// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"sync"
	"time"
)

const (
	firstCooldown = 10 * time.Second
	maxCooldown   = 5 * time.Minute
)

// Cooldown stops all requests to a plug for a while after it has answered with HTTP
// status 429. It lasts ten seconds at first, then twice as long each time, up to five
// minutes. How long plugs require is not known; the status is rare
// (apatsufas/homebridge-tapo-p100#29). The zero value allows requests. It is safe for
// concurrent use.
type Cooldown struct {
	mu    sync.Mutex
	since time.Time
	until time.Time
	wait  time.Duration
}

// Record begins a cooldown, longer than the previous one.
func (c *Cooldown) Record(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wait = min(max(firstCooldown, 2*c.wait), maxCooldown)
	c.since, c.until = now, now.Add(c.wait)
}

// End ends a cooldown after a successful exchange that began at a time, unless the
// cooldown began later than that.
func (c *Cooldown) End(began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.since.After(began) {
		c.until, c.wait = time.Time{}, 0
	}
}

// Allow reports whether requests are allowed. If not, until is when they will be.
func (c *Cooldown) Allow(now time.Time) (until time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until, !now.Before(c.until)
}

// over reports whether the cooldown has ended.
func (c *Cooldown) over(now time.Time) bool {
	_, ok := c.Allow(now)
	return ok
}
