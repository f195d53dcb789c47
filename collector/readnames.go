// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"sync"
	"time"
)

// namePause is the delay before a discovered plug that no probe has read is read for
// its name.
const namePause = 5 * time.Second

// readNames reads the plugs whose names are not known, once, that were discovered
// so long ago. It reports whether there were any.
func (e *Exporter) readNames(ctx context.Context, ago time.Duration) (some bool) {
	const atATime = 8
	slots := make(chan struct{}, atATime)
	var group sync.WaitGroup
	for _, t := range e.locator.Unread(ago) {
		if ctx.Err() != nil {
			break
		}
		some = true
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			continue // the rest is left for another time
		}
		group.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, e.timeout)
			defer cancel()
			e.read(ctx, t)
		})
	}
	group.Wait()
	return some
}
