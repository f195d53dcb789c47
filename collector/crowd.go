// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"sync"
	"time"
)

// crowd is whoever waits for the read of a plug at the moment. Its methods are
// safe for concurrent use.
type crowd struct {
	mu     sync.Mutex
	leaves map[*time.Time]struct{}
}

// join adds somebody who waits until a time at most.
func (c *crowd) join(until time.Time) (leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaves == nil {
		c.leaves = map[*time.Time]struct{}{}
	}
	c.leaves[&until] = struct{}{}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.leaves, &until)
	}
}

// last returns when the last of them leaves.
func (c *crowd) last() (last time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for until := range c.leaves {
		if until.After(last) {
			last = *until
		}
	}
	return last
}
