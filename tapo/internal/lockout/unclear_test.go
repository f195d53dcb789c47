// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"testing"
	"time"
)

// TestUnclearLogins: which of them count in a row, and in a day, after others have ended.
func TestUnclearLogins(t *testing.T) {
	start := time.Date(2026, 7, 4, 10, 0, 0, 0, time.UTC)
	type event struct {
		after time.Duration // since start
		what  string        // unclear, succeeded or refused
		way   string
	}
	several := func(n int, way string) (all []event) {
		for i := range n {
			all = append(all, event{time.Duration(i) * time.Minute, "unclear", way})
		}
		return all
	}
	const hour = time.Hour
	for _, tc := range []struct {
		name   string
		events []event
		after  time.Duration
		inARow int
		spent  time.Duration // since start, 0 if not spent
		kept   int
	}{
		{"none", nil, 0, 0, 0, 0},
		{"one", several(1, "a"), hour, 1, 0, 1},
		{"one, long ago", several(1, "a"), 1000 * day, 1, 0, 1},
		{"and a success", append(several(2, "a"), event{hour, "succeeded", "a"}), hour, 0, 0, 2},
		{"and a success a day later", append(several(2, "a"), event{day + hour, "succeeded", "a"}), day + hour, 0, 0, 0},
		{"and a success in another way", append(several(2, "a"), event{hour, "succeeded", "b"}), hour, 2, 0, 2},
		{"and a success in another way, just before a day", append(several(1, "a"), event{day - 1, "succeeded", "b"}), day, 1, 0, 1},
		{"and a success in another way, a day later", append(several(1, "a"), event{day, "succeeded", "b"}), day, 0, 0, 0},
		{"as an earlier version has stored", append(several(2, ""), event{hour, "succeeded", "b"}), hour, 0, 0, 2},
		{"and a refusal", append(several(2, "a"), event{hour, "refused", ""}), hour, 0, 0, 2},
		{"in two ways", append(several(2, "a"), event{hour, "unclear", "b"}, event{hour, "succeeded", "a"}), hour, 1, 0, 3},
		{"nine, and a success", append(several(9, "a"), event{hour, "succeeded", "a"}), hour, 0, 0, 9},
		{"ten, and a success", append(several(10, "a"), event{hour, "succeeded", "a"}), hour, 0, day, 10},
		{"ten, almost a day ago", append(several(10, "a"), event{hour, "succeeded", "a"}), day - 1, 0, day, 10},
		{"ten, a day ago", append(several(10, "a"), event{hour, "succeeded", "a"}), day, 0, 0, 9},
		{"twelve", append(several(12, "a"), event{hour, "succeeded", "a"}), hour, 0, day + 2*time.Minute, 12},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var u unclearLogins
			for _, e := range tc.events {
				at := start.Add(e.after)
				switch e.what {
				case "unclear":
					u = append(u.prune(at), unclearLogin{At: at, Way: e.way})
				case "succeeded":
					u = u.succeeded(e.way, at)
				default:
					u.refused()
				}
			}
			var want time.Time
			if tc.spent > 0 {
				want = start.Add(tc.spent)
			}
			now := start.Add(tc.after)
			if n, next := u.inARow(), u.spentUntil(now); n != tc.inARow || !next.Equal(want) {
				t.Errorf("%d in a row, spent until %v; want %d and %v", n, next, tc.inARow, want)
			}
			if u = u.prune(now); len(u) != tc.kept {
				t.Errorf("%d are kept, want %d", len(u), tc.kept)
			}
		})
	}
}
