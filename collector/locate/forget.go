// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
)

const (
	// forgetAfter is how long a plug is remembered that no longer replies, and
	// forgetUnread the same for one that could never be read.
	forgetAfter  = 24 * time.Hour
	forgetUnread = time.Hour
	// maxPlugs is how many are remembered: anybody may make up replies.
	maxPlugs = 500
)

// forgetSilent drops plugs that are not listed and have not replied for long. l.mu
// is held.
func (l *Locator) forgetSilent(c *config.Config) {
	for mac, p := range l.plugs {
		if silent := time.Since(p.repliedAt); silent > forgetAfter || silent > forgetUnread && !p.everRead {
			if _, listed := c.TargetOf(mac); !listed {
				delete(l.plugs, mac)
			}
		}
	}
}

// hasRoomFor reports whether one more plug may be remembered. If there are too
// many, it makes room for one. l.mu is held.
func (l *Locator) hasRoomFor(c *config.Config, mac string) bool {
	if len(l.plugs) < maxPlugs {
		return true
	}
	_, listed := c.TargetOf(mac)
	return listed || l.forgetOneUnread(c)
}

// forgetOneUnread drops the plug that has been silent for longest, of those that
// are not listed and were never read. It reports whether there was one. l.mu is
// held.
func (l *Locator) forgetOneUnread(c *config.Config) bool {
	var oldest *knownPlug
	for mac, p := range l.plugs {
		if p.everRead || oldest != nil && !p.repliedAt.Before(oldest.repliedAt) {
			continue
		}
		if _, listed := c.TargetOf(mac); !listed {
			oldest = p
		}
	}
	if oldest != nil {
		delete(l.plugs, oldest.mac)
	}
	return oldest != nil
}
