// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"sync"
)

// readingAtATime is how many discovered plugs are read at a time that are no targets
// yet.
const readingAtATime = 8

// readUnread reads the discovered plugs that are no targets yet: a read makes them
// targets, and gives their names.
func (e *Exporter) readUnread(ctx context.Context) {
	var group sync.WaitGroup
	for range readingAtATime {
		group.Go(func() {
			for ctx.Err() == nil {
				t, ok := e.locator.NextUnread(ctx)
				if !ok {
					return
				}
				ctx, cancel := context.WithTimeout(ctx, e.timeout)
				e.read(ctx, t)
				cancel()
			}
		})
	}
	group.Wait()
}

// waitForNames waits until the plugs that the first search has found were read:
// after a restart, discovered plugs have no names before. It reports whether that
// has just happened.
func (e *Exporter) waitForNames(ctx context.Context) bool {
	select {
	case <-e.named:
		return false
	default:
	}
	if !e.store.Current().Discovery.Enabled {
		return false
	}
	select {
	case <-e.named:
		return true
	case <-ctx.Done():
		return false
	}
}
