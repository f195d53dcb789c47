// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestWhereRepliesComeFrom: only what may be a plug of a local network is looked
// at.
func TestWhereRepliesComeFrom(t *testing.T) {
	h := newHome(t, auths+"discovery: {enabled: true, addresses: [203.0.113.5, 255.255.255.255]}\n")
	for address, want := range map[string]bool{
		"10.0.0.1:80": true, "192.168.1.2:80": true, "172.16.0.3:8080": true, "127.0.0.1:40000": true, "169.254.1.1:80": true, "203.0.113.5:80": true,
		"8.8.8.8:80": false, "169.254.169.254:80": false, "192.168.1.2:22": false, "203.0.113.6:80": false, "100.64.0.1:80": false,
	} {
		clear(h.unread)
		h.RecordReply(reply(aMAC, address, ""))
		if got := len(h.unread) == 1; got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}

// TestReloadDuringSearch: new addresses are asked at once.
func TestReloadDuringSearch(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(97)
	late := h.plug(t, 2, &simulator.Plug{Name: "Late", Username: "user@example.com"})
	h.run(t, auths+h.discoveryYAML("enabled: true, interval: 1h", 1))
	time.Sleep(700 * time.Millisecond) // after the first search
	h.askForSearch(t.Context())
	time.Sleep(50 * time.Millisecond)
	h.reload(t, auths+h.discoveryYAML("enabled: true, interval: 1h", 2))
	hometest.Eventually(t, "the new address is asked", func() bool { return late.Stats().Datagrams > 0 })
}

// TestMovedUnprobed: a search alone finds a plug that was read and has moved.
func TestMovedUnprobed(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(100)
	before := h.plug(t, 1, &simulator.Plug{Name: "Wanderer"})
	h.run(t, fmt.Sprintf("%stargets: [{name: a, mac: %s}]\n%s", auths, hometest.MACOf(t, before), h.discoveryYAML("interval: 1h", 2)))
	reading := readingOf("Wanderer")
	h.readings[before.Addr().String()] = &reading
	if address, err := h.read(t, "a"); err != nil || address != before.Addr().String() {
		t.Fatalf("read at %s: %v", address, err)
	}
	before.Close()
	now := h.plug(t, 2, &simulator.Plug{Name: "Wanderer"})
	hometest.Eventually(t, "the first search has ended", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.search == nil
	})
	<-h.askForSearch(t.Context()).done
	if got := h.addresses(t)["a"]; got != now.Addr().String() {
		t.Errorf("at %s", got)
	}
}

// searches counts those of the network, which last as long as they should and find
// nothing but what found is given.
type searches struct {
	mu    sync.Mutex
	began []time.Time
	found []discovery.Device
}

func (s *searches) run(search discovery.Search, _ context.Context, found func(discovery.Device)) error {
	s.mu.Lock()
	s.began = append(s.began, time.Now())
	for _, d := range s.found {
		found(d)
	}
	s.mu.Unlock()
	time.Sleep(search.Timeout)
	return nil
}

// rated makes a locator with the default times, for a test with simulated time.
func rated(t *testing.T, yaml string) (*home, *searches) {
	h, s := newHome(t, yaml), &searches{}
	h.opts.SearchTime, h.opts.SearchPause, h.searchNetwork = 3*time.Second, 10*time.Second, s.run
	t.Cleanup(func() { time.Sleep(time.Minute) }) // until the last search has ended
	return h, s
}

// TestSearchRate: there is one regular search and at most one more per pause, however
// many probes fail and however often the configuration is reloaded. The first one
// begins at once, and no probe takes longer than it may.
func TestSearchRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, searches := rated(t, auths+"targets: [{name: a, mac: "+aMAC+"}]\ndiscovery: {enabled: true}\n")
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		var group sync.WaitGroup
		group.Go(func() { h.Run(ctx) })
		target, _ := h.store.Current().Target("a")
		const lasts = 20 * time.Minute
		for range int(lasts / time.Second) {
			group.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, 9*time.Second)
				defer cancel()
				began := time.Now()
				_ = h.Read(ctx, target, func(config.Target) (tapo.Reading, *tapo.Error) { return tapo.Reading{}, unreachable })
				if took := time.Since(began); took > 9*time.Second {
					t.Errorf("a probe took %v", took)
				}
			})
			h.Wake()
			time.Sleep(time.Second)
		}
		cancel()
		group.Wait()
		searches.mu.Lock()
		defer searches.mu.Unlock()
		began := searches.began
		if most := int(lasts/h.opts.SearchPause) + int(lasts/config.DefaultInterval) + 2; len(began) > most || len(began) < most/2 {
			t.Errorf("%d searches, want %d at most", len(began), most)
		}
		if began[0].After(start) {
			t.Errorf("the first search began after %v", began[0].Sub(start))
		}
		for i := range len(began) - 2 {
			if span := began[i+2].Sub(began[i]); span < h.opts.SearchPause {
				t.Errorf("three searches in %v", span)
			}
		}
	})
}

// TestProbeWaitsForTheRate: a probe finds a plug that has moved right after a search, if
// it has time for the next one. If not, it does not wait, and the next probe finds it.
func TestProbeWaitsForTheRate(t *testing.T) {
	for timeout, want := range map[time.Duration]string{9 * time.Second: "10.0.0.2:80", 4 * time.Second: "10.0.0.1:80"} {
		synctest.Test(t, func(t *testing.T) {
			h, searches := rated(t, auths+"targets: [{name: a, mac: "+aMAC+"}]\n")
			h.RecordReply(reply(aMAC, "10.0.0.1:80", ""))
			<-h.askForSearch(t.Context()).done // which takes three seconds
			searches.found = []discovery.Device{reply(aMAC, "10.0.0.2:80", "")}
			target, _ := h.store.Current().Target("a")
			read := func(timeout time.Duration) (at string) {
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				_ = h.Read(ctx, target, func(located config.Target) (tapo.Reading, *tapo.Error) {
					if at = located.Address; at == "10.0.0.1:80" {
						return tapo.Reading{}, unreachable
					}
					return readingOf("A"), nil
				})
				return at
			}
			began := time.Now()
			if got := read(timeout); got != want {
				t.Errorf("with %v, read at %s", timeout, got)
			}
			if took := time.Since(began); want == "10.0.0.1:80" && took > time.Second {
				t.Errorf("waited %v for a search that is too late", took)
			}
			time.Sleep(8 * time.Second)
			if got := read(timeout); got != "10.0.0.2:80" {
				t.Errorf("with %v, the next probe reads at %s", timeout, got)
			}
		})
	}
}
