// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"maps"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// newsPause is how long a reason is not logged again for one plug: some plugs fail for two
// reasons in turn, and some answer every other scrape.
const newsPause = 5 * time.Minute

// news decides which failures of a plug are worth a line in the log.
type news struct {
	failing tapo.Reason // as logged, "" if the plug can be read
	logged  map[tapo.Reason]time.Time
}

// failed reports whether a failure is to be logged.
func (n *news) failed(reason tapo.Reason, now time.Time) bool {
	switch at, known := n.logged[reason]; {
	case n.failing == reason:
		return false
	case n.failing != "" && reason == tapo.LoginBackoff: // the rejection has been logged
		return false
	case known && now.Sub(at) < newsPause:
		return false
	}
	if n.logged == nil {
		n.logged = map[tapo.Reason]time.Time{}
	}
	n.failing, n.logged[reason] = reason, now
	return true
}

// succeeded returns the reason that was logged before the plug could be read again, "" if
// there was none.
func (n *news) succeeded() (before tapo.Reason) {
	before, n.failing = n.failing, ""
	return before
}

func (n *news) clone() news { return news{n.failing, maps.Clone(n.logged)} }
