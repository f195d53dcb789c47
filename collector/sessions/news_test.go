// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// wantLines wants so many lines about a plug that cannot be read, and that can be read
// again, and no others above the level of debug.
func (h *home) wantLines(t *testing.T, when string, failures, recoveries int) {
	t.Helper()
	log := h.log.String()
	got := [3]int{strings.Count(log, `msg="Plug cannot be read"`), strings.Count(log, `msg="Plug can be read again"`), strings.Count(log, "\n") - strings.Count(log, "level=DEBUG")}
	if want := [3]int{failures, recoveries, failures + recoveries}; got != want {
		t.Errorf("%s: %v lines about failures, recoveries and all, want %v", when, got, want)
	}
}

// TestHungPlugIsLoggedOnce: however long a probe waits for it, and whatever becomes of the
// read after the probe.
func TestHungPlugIsLoggedOnce(t *testing.T) {
	for _, timeout := range []time.Duration{fullTimeout, 4500 * time.Millisecond, 500 * time.Millisecond} {
		for i, target := range []string{"a", "b", "c"} {
			for _, fault := range []simulator.Fault{{Kind: simulator.Hang}, {Kind: simulator.Slow, Delay: 9 * time.Second}} {
				if fault.Kind == simulator.Slow && timeout == fullTimeout {
					continue
				}
				inHome(t, 25*time.Millisecond, func(t *testing.T, h *home) {
					h.up(target)
					h.plugs[i].Inject(fault)
					for range 50 {
						if result, _ := h.probe(target, timeout); result.Err == nil {
							t.Fatal("read")
						}
						time.Sleep(15 * time.Second)
					}
					h.wantLines(t, target+" hangs for "+timeout.String(), 1, 0)
					h.plugs[i].Heal()
					time.Sleep(10 * time.Minute)
					for range 3 {
						h.up(target)
					}
					h.wantLines(t, target+" is healed", 1, 1)
				})
			}
		}
	}
}

// TestNewsOfAnotherReason: a reason is logged at once, and again only after a pause.
func TestNewsOfAnotherReason(t *testing.T) {
	var n news
	start := time.Now()
	for i, tc := range []struct {
		after  time.Duration
		reason tapo.Reason // "" for a success
		want   bool
	}{
		{0, "", false},
		{1, tapo.Timeout, true},
		{2, tapo.Timeout, false},
		{3, tapo.Unreachable, true},
		{4, tapo.Timeout, false},
		{5, tapo.Unreachable, false},
		{6, "", true},
		{7, "", false},
		{8, tapo.Unreachable, false}, // it may be back in a moment, as before
		{9, "", false},
		{10, tapo.BadCredentials, true},
		{11, tapo.LoginBackoff, false},
		{12 + newsPause, tapo.Unreachable, true},
		{13 + newsPause, tapo.Unreachable, false},
		{14 + 2*newsPause, tapo.Unreachable, false},
		{15 + 2*newsPause, tapo.Timeout, true},
	} {
		var got bool
		if tc.reason == "" {
			got = n.succeeded() != ""
		} else {
			got = n.failed(tc.reason, start.Add(tc.after))
		}
		if got != tc.want {
			t.Errorf("%d, %q: %t", i, tc.reason, got)
		}
	}
}
