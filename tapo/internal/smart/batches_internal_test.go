// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"errors"
	"testing"
	"time"
)

// TestBatchHealth has conversations with a plug, and says whether a batch may be
// sent after each.
func TestBatchHealth(t *testing.T) {
	errEnded := errors.New("no answer")
	// What happens in a conversation.
	hangs := func(h *batchHealth, _ time.Time) { h.failed(true); h.conversationEnded(errEnded) }
	fails := func(h *batchHealth, _ time.Time) { h.failed(false); h.conversationEnded(errEnded) }
	batch := func(h *batchHealth, _ time.Time) { h.batchAnswered(); h.conversationEnded(nil) }
	single := func(h *batchHealth, now time.Time) { h.singleAnswered(now); h.conversationEnded(nil) }
	retried := func(h *batchHealth, _ time.Time) { h.failed(true); h.batchAnswered(); h.conversationEnded(nil) }
	wait := func(*batchHealth, time.Time) {}

	type step struct {
		does  func(*batchHealth, time.Time)
		after time.Duration // since the step before
		allow bool          // a batch in the next conversation
	}
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"healthy", []step{{batch, 0, true}, {single, 0, true}, {batch, 0, true}}},
		{"hangs once", []step{{hangs, 0, true}, {batch, 0, true}, {hangs, 0, true}}},
		{"hangs twice", []step{{hangs, 0, true}, {hangs, 0, false}}},
		{"hangs twice, with another error between", []step{{hangs, 0, true}, {fails, 0, true}, {hangs, 0, true}}},
		{"hangs, and is answered within the conversation", []step{{hangs, 0, true}, {retried, 0, true}, {hangs, 0, true}}},
		{"single requests fail as well", []step{{hangs, 0, true}, {hangs, 0, false}, {fails, 0, true}, {hangs, 0, true}}},
		{"single requests help for ten minutes", []step{
			{hangs, 0, true}, {hangs, 0, false}, {single, 0, false}, {single, 10*time.Minute - 1, false}, {wait, 1, true}, {batch, 0, true},
		}},
		{"hangs after that, once", []step{
			{hangs, 0, true}, {hangs, 0, false}, {single, 0, false}, {wait, 10 * time.Minute, true}, {hangs, 0, false},
		}},
		{"single requests help again, for a day", []step{
			{hangs, 0, true},
			{hangs, 0, false},
			{single, 0, false},
			{wait, 10 * time.Minute, true},
			{hangs, 0, false},
			{single, 0, false},
			{wait, 24*time.Hour - 1, false},
			{wait, 1, true},
		}},
		{"batches are fine between, so it was the network", []step{
			{hangs, 0, true},
			{hangs, 0, false},
			{single, 0, false},
			{wait, 10 * time.Minute, true},
			{batch, 0, true},
			{batch, 0, true},
			{batch, 0, true},
			{hangs, 0, true},
			{hangs, 0, false},
			{single, 0, false},
			{wait, 10 * time.Minute, true},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h, now := &batchHealth{}, time.Date(2026, 7, 4, 10, 0, 0, 0, time.UTC)
			for i, s := range tc.steps {
				now = now.Add(s.after)
				s.does(h, now)
				if got := h.allow(now); got != s.allow {
					t.Errorf("after step %d a batch is allowed: %t", i+1, got)
				}
			}
		})
	}
}
