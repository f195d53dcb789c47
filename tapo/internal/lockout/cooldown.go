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

// Cooldown is how long a plug is not asked anything that has answered that it gets
// too many requests (HTTP status 429). The zero value is that of a plug that has
// not. It is safe for concurrent use.
type Cooldown struct {
	mu    sync.Mutex
	since time.Time
	until time.Time
	wait  time.Duration
}

// Record begins a cooldown, each longer than the one before.
func (c *Cooldown) Record(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wait = min(max(firstCooldown, 2*c.wait), maxCooldown)
	c.since, c.until = now, now.Add(c.wait)
}

// End forgets a cooldown, unless it has begun after what speaks against it.
func (c *Cooldown) End(began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.since.After(began) {
		c.until, c.wait = time.Time{}, 0
	}
}

// Allow reports whether the plug may be asked; if not, until is when it may.
func (c *Cooldown) Allow(now time.Time) (until time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until, !now.Before(c.until)
}

// over reports whether nothing needs to be remembered.
func (c *Cooldown) over(now time.Time) bool {
	_, ok := c.Allow(now)
	return ok
}
