// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestSharedReads has many probes of one plug at a time, of which the first, or
// all but the first, have a short timeout.
func TestSharedReads(t *testing.T) {
	const short = 500 * time.Millisecond
	for _, first := range []time.Duration{short, fullTimeout} {
		for i, target := range []string{"a", "b", "c"} {
			inHome(t, 1500*time.Millisecond, func(t *testing.T, h *home) {
				var group sync.WaitGroup
				var mu sync.Mutex
				ends := map[string]int{}
				for n := range 20 {
					timeout := []time.Duration{first, 1500 * time.Millisecond, fullTimeout, fullTimeout}[n%4]
					group.Go(func() {
						result, took := h.probe(target, timeout)
						mu.Lock()
						defer mu.Unlock()
						switch reasonOf(result) {
						case "":
							ends["ok"]++
						case tapo.Timeout:
							ends["timeout after "+took.String()]++
						default:
							t.Errorf("after %v: %v", took, result.Err)
						}
					})
					synctest.Wait()
				}
				group.Wait()
				late := map[time.Duration]int{short: 5, fullTimeout: 0}[first]
				if ends["ok"] != 15-late || ends["timeout after 1.5s"] != 5 || ends["timeout after 500ms"] != late {
					t.Errorf("first with %v: %v", first, ends)
				}
				s := h.plugs[i].Stats()
				if want := []int{4, 4, 5}[i]; s.Requests != want || s.Logins != 1 {
					t.Errorf("%d requests, %d logins", s.Requests, s.Logins)
				}
				shared := 15 - late
				if first == fullTimeout {
					shared-- // the first has begun the read
				}
				h.wantMetrics(t, fmt.Sprintf("tapo_exporter_probes_shared_total %d", shared))

				before := h.plugs[i].Stats().Requests // a finished reading is never used again
				h.up(target)
				h.up(target)
				if got := h.plugs[i].Stats().Requests - before; got != 2 {
					t.Errorf("%d requests for two probes", got)
				}
			})
		}
	}
}

// TestLateProbe joins a read that fails for want of time, and has time itself.
func TestLateProbe(t *testing.T) {
	inHome(t, 0, func(t *testing.T, h *home) {
		h.plugs[0].Inject(simulator.Fault{Kind: simulator.Hang})
		go h.probe("a", 500*time.Millisecond)
		time.Sleep(8 * time.Second)
		h.plugs[0].Heal()
		if !h.up("a") {
			t.Error("the late probe has failed with the one that it joined")
		}
	})
}

// TestLostReply is asked for again while the probe still waits.
func TestLostReply(t *testing.T) {
	for _, timeout := range []time.Duration{fullTimeout, 4500 * time.Millisecond, 2500 * time.Millisecond} {
		inHome(t, 25*time.Millisecond, func(t *testing.T, h *home) {
			for i, target := range []string{"a", "b", "c"} {
				h.up(target)
				h.plugs[i].Inject(simulator.Fault{Kind: simulator.Hang, Times: 1})
				if result, took := h.probe(target, timeout); result.Err != nil {
					t.Errorf("%v: after %v: %v", timeout, took, result.Err)
				}
			}
		})
	}
	inHome(t, 0, func(t *testing.T, h *home) {
		h.plugs[0].Inject(simulator.Fault{Kind: simulator.Hang})
		h.probe("a", 1500*time.Millisecond)
		if log := h.log.String(); !strings.Contains(log, "Probe has ended before its read") {
			t.Errorf("nothing in the log:\n%s", log)
		}
		time.Sleep(10 * time.Second)
	})
}

// TestSlowPlug: the first probe has hardly any time, a second one comes later and
// has, and the plug is just slow.
func TestSlowPlug(t *testing.T) {
	for i, target := range []string{"a", "b", "c"} {
		inHome(t, 0, func(t *testing.T, h *home) {
			h.up(target)
			before := h.plugs[i].Stats().Requests
			h.plugs[i].Inject(simulator.Fault{Kind: simulator.Slow, Delay: 3 * time.Second})
			go h.probe(target, 2500*time.Millisecond)
			time.Sleep(time.Second)
			if result, took := h.probe(target, fullTimeout); result.Err != nil || took != 2*time.Second {
				t.Errorf("after %v: %v", took, result.Err)
			}
			if got := h.plugs[i].Stats().Requests - before; got != 1 {
				t.Errorf("%s: %d requests", target, got)
			}
		})
	}
}

// TestHungPlugAndManyProbes: probes with the same timeout do not ask one after
// the other.
func TestHungPlugAndManyProbes(t *testing.T) {
	for i, target := range []string{"a", "b", "c"} {
		for _, probes := range []int{1, 2, 20} {
			inHome(t, 0, func(t *testing.T, h *home) {
				h.plugs[i].Inject(simulator.Fault{Kind: simulator.Hang})
				var group sync.WaitGroup
				for range probes {
					group.Go(func() { h.up(target) })
					synctest.Wait()
				}
				group.Wait()
				time.Sleep(time.Minute)
				if got := h.plugs[i].Stats().Requests; got != 2 {
					t.Errorf("%s: %d requests for %d probes", target, got, probes)
				}
			})
		}
	}
}

// TestSharedReadsOnSockets does without simulated time.
func TestSharedReadsOnSockets(t *testing.T) {
	t.Parallel()
	p := startPlug(t, &simulator.Plug{Latency: 50 * time.Millisecond})
	h := newHome(t, targetYAML(p))
	h.want(t, "a", "")
	before := p.Stats().Requests
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() { h.want(t, "a", "") })
	}
	group.Wait()
	if got := p.Stats().Requests - before; got < 1 || got > 2 {
		t.Errorf("%d requests", got)
	}
	metrics := h.wantMetrics(t)
	if !strings.Contains(metrics, "tapo_exporter_probes_shared_total 9") && !strings.Contains(metrics, "tapo_exporter_probes_shared_total 8") {
		t.Error("shared probes are not counted")
	}
	h.want(t, "a", "")
	if got := p.Stats().Requests - before; got < 2 {
		t.Error("a finished reading was served again")
	}
}

// TestShortTimeoutOnSockets: a probe times out; another one that shares its read
// does not.
func TestShortTimeoutOnSockets(t *testing.T) {
	t.Parallel()
	p := startPlug(t, &simulator.Plug{Latency: 100 * time.Millisecond})
	h := newHome(t, targetYAML(p))
	short := make(chan Result)
	go func() {
		result, _ := h.probe("a", 100*time.Millisecond)
		short <- result
	}()
	for p.Stats().Connections == 0 {
		time.Sleep(time.Millisecond)
	}
	h.want(t, "a", "")
	if result := <-short; reasonOf(result) != tapo.Timeout {
		t.Errorf("got %+v", result)
	}
	if p.Stats().Logins != 1 {
		t.Errorf("%d logins", p.Stats().Logins)
	}
}
