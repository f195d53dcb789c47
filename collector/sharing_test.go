// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// house is an exporter with plugs of every protocol, in simulated time.
type house struct {
	*fixture
	network *simulator.Network
	plugs   []*simulator.Plug
}

// inHouse runs a test in a bubble of testing/synctest. The targets are called a,
// b and c.
func inHouse(t *testing.T, latency time.Duration, test func(t *testing.T, h *house), change ...func(*Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 7, 4, 10, 0, 0, 0, time.UTC)))
		h := &house{network: new(simulator.Network)}
		for i, m := range []simulator.Model{simulator.P110, simulator.P110TPAP, simulator.P110Passthrough} {
			h.plugs = append(h.plugs, startPlug(t, &simulator.Plug{
				Model: m, Latency: latency, Network: h.network, Listen: fmt.Sprintf("192.0.2.%d:80", i+1),
				TPAP: simulator.TPAPOptions{Iterations: 10}, Load: simulator.Constant(60),
			}))
		}
		change = append([]func(*Options){func(o *Options) { o.DialContext, o.TimeoutOffset = h.network.DialContext, 500*time.Millisecond }}, change...)
		h.fixture = newFixture(t, houseYAML(password), change...)
		test(t, h)
	})
}

func houseYAML(password string) string {
	return fmt.Sprintf(`
auths: {home: {username: %s, password: %s}}
targets:
  - {name: a, address: 192.0.2.1}
  - {name: b, address: 192.0.2.2}
  - {name: c, address: 192.0.2.3, allow_passthrough: true}
`, username, password)
}

// probe probes with the timeout of a scrape, and returns the body and how long
// it took.
func (h *house) probe(target, timeout string) (string, time.Duration) {
	start := time.Now()
	body := h.get("/probe?target="+target, timeoutHeader, timeout).Body.String()
	return body, time.Since(start)
}

// up probes and reports whether the plug was read.
func (h *house) up(target string) bool {
	body, _ := h.probe(target, "10")
	return strings.Contains(body, "tapo_up 1\n")
}

// TestSharedReads has many probes of one plug at a time, of which the first, or
// all but the first, are impatient.
func TestSharedReads(t *testing.T) {
	for _, first := range []string{"1", "10"} {
		for i, target := range []string{"a", "b", "c"} {
			inHouse(t, 1500*time.Millisecond, func(t *testing.T, h *house) {
				var group sync.WaitGroup
				var mu sync.Mutex
				ends := map[string]int{}
				for n := range 20 {
					timeout := []string{first, "2", "10", "10"}[n%4]
					group.Go(func() {
						body, took := h.probe(target, timeout)
						mu.Lock()
						defer mu.Unlock()
						switch {
						case strings.Contains(body, "tapo_up 1\n"):
							ends["ok"]++
						case strings.Contains(body, `reason="timeout"`):
							ends["timeout after "+took.String()]++
						default:
							t.Errorf("after %v:\n%s", took, body)
						}
					})
					synctest.Wait()
				}
				group.Wait()
				impatient := map[string]int{"1": 5, "10": 0}[first]
				if ends["ok"] != 15-impatient || ends["timeout after 1.5s"] != 5 || ends["timeout after 500ms"] != impatient {
					t.Errorf("first with %s s: %v", first, ends)
				}
				s := h.plugs[i].Stats()
				if want := []int{4, 4, 5}[i]; s.Requests != want || s.Logins != 1 {
					t.Errorf("%d requests, %d logins", s.Requests, s.Logins)
				}
				shared := 15 - impatient
				if first == "10" {
					shared-- // the first has led
				}
				h.want(t, "/metrics", 200, fmt.Sprintf("tapo_exporter_probes_shared_total %d\n", shared))

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
	inHouse(t, 0, func(t *testing.T, h *house) {
		h.plugs[0].Inject(simulator.Fault{Kind: simulator.Hang})
		go h.probe("a", "1")
		time.Sleep(8 * time.Second)
		h.plugs[0].Heal()
		if !h.up("a") {
			t.Error("the late probe has failed with the one that it joined")
		}
	})
}

// TestLostAnswer is asked for again while the scrape that waits is there.
func TestLostAnswer(t *testing.T) {
	for _, timeout := range []string{"10", "5", "3"} {
		inHouse(t, 25*time.Millisecond, func(t *testing.T, h *house) {
			for i, target := range []string{"a", "b", "c"} {
				h.up(target)
				h.plugs[i].Inject(simulator.Fault{Kind: simulator.Hang, Times: 1})
				if body, took := h.probe(target, timeout); !strings.Contains(body, "tapo_up 1\n") {
					t.Errorf("%s s: after %v:\n%s", timeout, took, body)
				}
			}
		})
	}
	inHouse(t, 0, func(t *testing.T, h *house) {
		h.plugs[0].Inject(simulator.Fault{Kind: simulator.Hang})
		h.probe("a", "2")
		if log := h.log.String(); !strings.Contains(log, "Probe has ended before its read") {
			t.Errorf("nothing in the log:\n%s", log)
		}
		time.Sleep(10 * time.Second)
	})
}

// TestSlowPlugAndImpatientProbe: the first probe has hardly any time, a second
// one comes later and has, and the plug is just slow.
func TestSlowPlugAndImpatientProbe(t *testing.T) {
	for i, target := range []string{"a", "b", "c"} {
		inHouse(t, 0, func(t *testing.T, h *house) {
			h.up(target)
			before := h.plugs[i].Stats().Requests
			h.plugs[i].Inject(simulator.Fault{Kind: simulator.Slow, Delay: 3 * time.Second})
			go h.probe(target, "3")
			time.Sleep(time.Second)
			if body, took := h.probe(target, "10"); !strings.Contains(body, "tapo_up 1\n") || took != 2*time.Second {
				t.Errorf("after %v:\n%s", took, body)
			}
			if got := h.plugs[i].Stats().Requests - before; got != 1 {
				t.Errorf("%s: %d requests", target, got)
			}
		})
	}
}

// TestHungPlugAndManyProbes: probes with the same time do not ask one after the
// other.
func TestHungPlugAndManyProbes(t *testing.T) {
	for i, target := range []string{"a", "b", "c"} {
		for _, probes := range []int{1, 2, 20} {
			inHouse(t, 0, func(t *testing.T, h *house) {
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

// TestStaleTarget: a probe that found its target before a reload does not bring
// it back.
func TestStaleTarget(t *testing.T) {
	inHouse(t, 0, func(t *testing.T, h *house) {
		old, _ := h.store.Current().Target("a")
		h.write(t, auths)
		h.do(http.MethodPost, "/-/reload")
		if r := h.sessions.Read(t.Context(), old, true); r.Err != nil {
			t.Error(r.Err)
		}
		for key, p := range h.sessions.plugs {
			if p.listed {
				t.Errorf("%s is listed", key.place)
			}
		}
	})
}

// TestPanic is contained: whoever waits gets an answer, and the next probe works.
func TestPanic(t *testing.T) {
	for _, timeout := range []string{"5", "10"} { // in another goroutine, and in the probe's own
		panics := true
		inHouse(t, 0, func(t *testing.T, h *house) {
			var group sync.WaitGroup
			for range 3 {
				group.Go(func() {
					if body, _ := h.probe("a", timeout); !strings.Contains(body, `reason="bad_reply"`) {
						t.Errorf("got\n%s", body)
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
		inHouse(t, 25*time.Millisecond, func(t *testing.T, h *house) {
			h.plugs[plug].SetCredentials(username, "another")
			asked := 0
			for start := time.Now(); time.Since(start) < 2*time.Hour; time.Sleep(15 * time.Second) {
				before := h.plugs[plug].Stats().Requests
				body, took := h.probe(target, "10")
				switch requests := h.plugs[plug].Stats().Requests - before; {
				case strings.Contains(body, `reason="bad_credentials"`) && requests > 0:
					asked++
				case !strings.Contains(body, `reason="login_backoff"`) || requests != 0 || took != 0:
					t.Fatalf("%d requests, %v:\n%s", requests, took, body)
				}
				h.do(http.MethodPost, "/-/reload")
			}
			if asked != 8 { // at 0, 1, 3, 7, 15, 31, 61 and 91 minutes
				t.Errorf("asked %d times in two hours", asked)
			}
			h.write(t, houseYAML("another"))
			h.do(http.MethodPost, "/-/reload")
			if !h.up(target) {
				t.Error("changed credentials are not tried at once")
			}
		})
	}
}

// TestGoneTargets: their sessions and connections are closed.
func TestGoneTargets(t *testing.T) {
	inHouse(t, 0, func(t *testing.T, h *house) {
		for _, target := range []string{"a", "b", "c"} {
			h.up(target)
		}
		open := func() (n int) {
			synctest.Wait()
			for _, p := range h.plugs {
				n += p.OpenConnections()
			}
			return n
		}
		if got := open(); got != 3 {
			t.Errorf("%d connections", got)
		}
		h.write(t, auths)
		h.do(http.MethodPost, "/-/reload")
		if got := open(); got != 0 {
			t.Errorf("%d connections to targets that are gone", got)
		}
		h.want(t, "/metrics", 200, `tapo_exporter_sessions{protocol="klap"} 0`, `tapo_exporter_sessions{protocol="tpap"} 0`, "tapo_exporter_targets 0")
	})
}
