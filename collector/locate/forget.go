// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"maps"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
)

const (
	// forgetAfter is how long a plug is remembered that no longer replies, and
	// forgetUnread the same for one that was not read yet.
	forgetAfter  = 24 * time.Hour
	forgetUnread = time.Hour
	// maxPlugs is how many plugs are remembered that are not listed.
	maxPlugs = 500
)

// forget drops what is of no use with a configuration: plugs that are not listed
// and have not replied for long, or are not of discovery's account. l.mu is held.
func (l *Locator) forget(c *config.Config) {
	account, enabled := discoveryAccount(c)
	maps.DeleteFunc(l.plugs, func(mac string, p *knownPlug) bool {
		_, listed := c.TargetOf(mac)
		return !listed && (!enabled || p.account != account.Username || time.Since(p.repliedAt) > forgetAfter)
	})
	listed := l.listedNow(c)
	maps.DeleteFunc(l.unread, func(key unreadKey, u *unread) bool {
		return !u.inRead() && (!enabled || u.account != account || time.Since(u.repliedAt) > forgetUnread || listed(key.mac, key.address))
	})
}

// countUnlisted counts the known plugs that are not listed. l.mu is held.
func (l *Locator) countUnlisted(c *config.Config) (n int) {
	for mac := range l.plugs {
		if _, listed := c.TargetOf(mac); !listed {
			n++
		}
	}
	return n
}
