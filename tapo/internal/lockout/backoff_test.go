// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"errors"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	var b Backoff
	now := time.Date(2026, 7, 4, 10, 0, 0, 0, time.UTC)
	if _, ok := b.Allow(now); !ok {
		t.Error("a login is not allowed that follows none")
	}
	rejected := errors.New("rejected")
	for _, minutes := range []int{1, 2, 4, 8, 16, 30, 30} {
		b.Record(rejected, now)
		end := now.Add(time.Duration(minutes) * time.Minute)
		next, ok := b.Allow(end.Add(-time.Nanosecond))
		if ok || !errors.Is(b.Cause(), rejected) || !next.Equal(end) {
			t.Errorf("within %d minutes: %v, next %v, %t", minutes, b.Cause(), next, ok)
		}
		if _, ok := b.Allow(end); !ok {
			t.Errorf("not allowed after %d minutes", minutes)
		}
		now = end.Add(time.Second)
	}
}
