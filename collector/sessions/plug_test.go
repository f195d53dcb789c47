// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// TestPanicIsContained: its waiters get an answer, and the next probe works.
func TestPanicIsContained(t *testing.T) {
	for _, timeout := range []time.Duration{4500 * time.Millisecond, fullTimeout} { // in another goroutine, and in the probe's own
		panics := true
		inHome(t, 0, func(t *testing.T, h *home) {
			var group sync.WaitGroup
			for range 3 {
				group.Go(func() {
					if result, _ := h.probe("a", timeout); reasonOf(result) != tapo.BadReply {
						t.Errorf("got %+v", result)
					}
				})
			}
			group.Wait()
			panics = false
			if !h.up("a") {
				t.Error("not read after a panic")
			}
			if log := h.log.String(); !strings.Contains(log, "Panic while reading a plug") {
				t.Errorf("nothing in the log:\n%s", log)
			}
		}, func(o *Options) {
			dial := o.DialContext
			o.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				time.Sleep(time.Second) // for the others to join
				if panics {
					panic("a bug")
				}
				return dial(ctx, network, address)
			}
		})
	}
}

// TestBackoffAnswersAtOnce: a rejected login is repeated after a minute, two,
// four and so on, reloads or not; changed credentials are tried at once.
func TestBackoffAnswersAtOnce(t *testing.T) {
	for i, target := range []string{"a", "c"} { // b's plug counts attempts: see TestRejectionsOutliveTargets
		plug := 2 * i
		inHome(t, 25*time.Millisecond, func(t *testing.T, h *home) {
			h.plugs[plug].SetCredentials(username, "another")
			asked := 0
			for start := time.Now(); time.Since(start) < 2*time.Hour; time.Sleep(15 * time.Second) {
				before := h.plugs[plug].Stats().Requests
				result, took := h.probe(target, fullTimeout)
				switch requests := h.plugs[plug].Stats().Requests - before; {
				case reasonOf(result) == tapo.BadCredentials && requests > 0:
					asked++
				case reasonOf(result) != tapo.LoginBackoff || requests != 0 || took != 0:
					t.Fatalf("%d requests, %v: %+v", requests, took, result)
				}
				h.reload(t, homeYAML(password))
			}
			if asked != 8 { // at 0, 1, 3, 7, 15, 31, 61 and 91 minutes
				t.Errorf("asked %d times in two hours", asked)
			}
			h.reload(t, homeYAML("another"))
			if !h.up(target) {
				t.Error("changed credentials are not tried at once")
			}
		})
	}
}

// TestStateIsOfTheLastProbe, not of a read that ended well after it.
func TestStateIsOfTheLastProbe(t *testing.T) {
	inHome(t, 300*time.Millisecond, func(t *testing.T, h *home) {
		target, _ := h.config.Target("a")
		state := func() State {
			synctest.Wait()
			return h.State(target)
		}
		if s := state(); s.Err != nil || !s.Reading.Time.IsZero() {
			t.Errorf("before a read: %+v", s)
		}
		h.probe("a", 200*time.Millisecond)
		if s := state(); s.Err == nil || s.Err.Reason != tapo.Timeout {
			t.Errorf("while the read goes on: %+v", s)
		}
		time.Sleep(5 * time.Second)
		if s := state(); s.Err == nil || s.Reading.Time.IsZero() {
			t.Errorf("after the read: %+v", s)
		}
		h.up("a")
		if s := state(); s.Err != nil {
			t.Errorf("after a probe: %v", s.Err)
		}
	})
}
