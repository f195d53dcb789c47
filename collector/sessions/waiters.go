// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"sync"
	"time"
)

// waiters are the probes that wait for the read of one plug. Its methods are safe
// for concurrent use.
type waiters struct {
	mu        sync.Mutex
	deadlines map[*time.Time]struct{}
}

// add adds a waiter, until remove is called.
func (w *waiters) add(deadline time.Time) (remove func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deadlines == nil {
		w.deadlines = map[*time.Time]struct{}{}
	}
	w.deadlines[&deadline] = struct{}{}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.deadlines, &deadline)
	}
}

// lastDeadline returns until when somebody waits, the zero time without waiters.
func (w *waiters) lastDeadline() (last time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for deadline := range w.deadlines {
		if deadline.After(last) {
			last = *deadline
		}
	}
	return last
}
