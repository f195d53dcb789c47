// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"context"
	"log/slog"
	"time"
)

const (
	// newsPause is how long something is no news again after it was last seen.
	newsPause = time.Hour
	// maxNews is how many lines of news are logged in that time: anybody can make
	// news. The last few are for plugs that cannot be read, which somebody may have to
	// do something about.
	maxNews, maxFound = 20, 16
	// maxSeen is how many pieces of news are remembered.
	maxSeen = 1000
)

// news decides which lines about discovered plugs are logged: the same once an hour,
// and a bounded number in all. Locator.mu guards it.
type news struct {
	seen    map[string]time.Time
	since   time.Time // when the hour began in which lines are counted
	lines   int
	omitted int // -1 once that was logged in this hour
}

// take reports whether a piece of news is to be logged, which it is while fewer than
// most lines have been.
func (n *news) take(key string, most int) bool {
	now := time.Now()
	if now.Sub(n.since) >= newsPause {
		n.since, n.lines, n.omitted = now, 0, 0
	}
	last, seen := n.seen[key]
	if !seen && len(n.seen) >= maxSeen {
		for other := range n.seen {
			delete(n.seen, other)
			break
		}
	}
	n.seen[key] = now
	switch {
	case seen && now.Sub(last) < newsPause:
		return false
	case n.lines < most:
		n.lines++
		return true
	}
	if n.omitted >= 0 {
		n.omitted++
	}
	return false
}

// summarize logs, once in an hour, how much news was not logged.
func (n *news) summarize(ctx context.Context, logger *slog.Logger) {
	if n.omitted > 0 {
		logger.WarnContext(ctx, "Discovery has more news than it logs in an hour", "logged", n.lines, "omitted_so_far", n.omitted,
			"advice", "Run `tapo_exporter discover` to see what replies to a search.")
		n.omitted = -1
	}
}
