// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

const (
	longSoak  = 48 * time.Hour
	shortSoak = 3 * time.Hour
	soakEvery = 15 * time.Second
)

// raceDetector is true in tests that are built with the race detector.
var raceDetector bool

// soakTime returns how long plugs are polled, in simulated time. The long soak takes
// a minute, and many with the race detector: .ci/run does it without.
func soakTime() time.Duration {
	if os.Getenv("E2E") == "1" && !raceDetector {
		return longSoak
	}
	return shortSoak
}

// soaked is a plug of the soak, and what was done to it.
type soaked struct {
	*simulator.Plug
	name     string
	faulty   bool
	healAt   time.Time
	calmFrom time.Time // when nothing that was done to it may show any more
	hits     int       // things done to it that may cost a login
	shares   int       // logins of which the outcome may be unknown

	probes, calm int
}

// TestSoak polls a dozen plugs while random things go wrong with them, and looks
// for what is left behind.
func TestSoak(t *testing.T) {
	const seed = 20261121
	random := rand.New(rand.NewPCG(seed, 0))
	soakTime := soakTime()
	synctest.Test(t, func(t *testing.T) {
		endOfSummerTime := time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)
		time.Sleep(time.Until(endOfSummerTime.Add(-soakTime / 2)))
		network := new(simulator.Network)
		plugs, yaml := soakPlugs(t, network)
		h := newHome(t, yaml, func(o *Options) {
			o.DialContext, o.TimeoutOffset, o.Logger = network.DialContext, time.Second/2, slog.New(slog.DiscardHandler)
		})
		began := time.Now()
		var settled uint64 // heap in use after the first eighth
		for now := began; now.Sub(began) < soakTime; now = time.Now() {
			if settled == 0 && now.Sub(began) > soakTime/8 {
				settled = heapInUse()
			}
			for _, p := range plugs {
				p.maybeHarm(t, random, now)
			}
			probeAll(t, h, plugs, now)
			time.Sleep(time.Until(now.Add(soakEvery)))
		}
		t.Logf("%d bytes in use after %v, %d in the end", settled, soakTime/8, heapInUse())
		if grown := int64(heapInUse()) - int64(settled); grown > 256<<10 {
			t.Errorf("%d bytes more in use than after %v", grown, soakTime/8)
		}
		for _, p := range plugs {
			p.judge(t)
		}
		time.Sleep(3 * time.Minute)
		for _, p := range plugs {
			if n := p.OpenConnections(); n != 0 {
				t.Errorf("%s: %d connections that nobody uses", p.name, n)
			}
		}
	})
}

func soakPlugs(t *testing.T, network *simulator.Network) (plugs []*soaked, yaml string) {
	models := []simulator.Model{
		simulator.P110, simulator.P110NoEmeter, simulator.P105, simulator.P110Compatible,
		simulator.P110TPAP, simulator.P110TPAP, simulator.P110TPAP, simulator.P110TPAP,
		simulator.P110Passthrough, simulator.P115Passthrough, simulator.P100Passthrough, simulator.P110Old,
	}
	yaml = auths + "targets:\n"
	for i, m := range models {
		p := &soaked{Plug: &simulator.Plug{
			Model: m, Name: fmt.Sprint("Plug ", i), Network: network, Listen: fmt.Sprintf("192.0.2.%d:80", i+1), Latency: 25 * time.Millisecond,
			Region: "Europe/Berlin", Load: simulator.Fridge(), TPAP: simulator.TPAPOptions{Iterations: 10},
		}, name: fmt.Sprint("plug-", i)}
		startPlug(t, p.Plug)
		plugs = append(plugs, p)
		yaml += fmt.Sprintf("  - {name: %s, address: '%s', allow_passthrough: %t}\n", p.name, p.Addr(), m.Protocol == simulator.Passthrough)
	}
	return plugs, yaml
}

// maybeHarm has something happen to a plug every 20 minutes or so, or ends it.
func (p *soaked) maybeHarm(t *testing.T, random *rand.Rand, now time.Time) {
	if p.faulty {
		if now.Before(p.healAt) {
			return
		}
		p.Heal()
		p.faulty = false
		p.calmFrom = now.Add(6 * time.Minute) // the longest rest after 429
	}
	if now.Before(p.calmFrom) || random.IntN(80) > 0 {
		return
	}
	p.hits++
	switch random.IntN(8) {
	case 0:
		p.LoseSession()
	case 1:
		p.CloseConnections()
	case 2:
		if err := p.Sleep(); err != nil {
			t.Fatal(err)
		}
	default:
		kinds := []simulator.Fault{
			{Kind: simulator.Hang},
			{Kind: simulator.Reset},
			{Kind: simulator.CloseAfterReply},
			{Kind: simulator.Truncate},
			{Kind: simulator.Garble},
			{Kind: simulator.Oversize},
			{Kind: simulator.HTML},
			{Kind: simulator.Says, Text: "{"},
			{Kind: simulator.Status, Status: 403},
			{Kind: simulator.Status, Status: 404},
			{Kind: simulator.Status, Status: 429},
			{Kind: simulator.Status, Status: 500},
			{Kind: simulator.BadSignature},
			{Kind: simulator.BadSequence},
			{Kind: simulator.Slow, Delay: 4 * time.Second},
			{Kind: simulator.Code, Code: 9999},
			{Kind: simulator.Replay},
			{Kind: simulator.NoLength},
			{Kind: simulator.OddHeaders},
			{Kind: simulator.Redirect, Status: 301, Location: "/"},
		}
		fault := kinds[random.IntN(len(kinds))]
		if random.IntN(2) == 0 {
			fault.Times, fault.Skip = 1+random.IntN(3), random.IntN(4)
		}
		if p.Model.Protocol == simulator.TPAP { // not three unknown outcomes in a row, which end all attempts
			fault.Times = 1
			p.shares++
		}
		p.Inject(fault)
		lasts := time.Duration(1+random.IntN(8)) * soakEvery
		p.hits += int(lasts / soakEvery)
		p.faulty, p.healAt = true, now.Add(lasts)
	}
}

// probeAll probes all plugs at a time, as two Prometheus servers do.
func probeAll(t *testing.T, h *home, plugs []*soaked, now time.Time) {
	var group sync.WaitGroup
	for _, p := range plugs {
		p.probes++
		calm := !p.faulty && !now.Before(p.calmFrom)
		for range 2 {
			group.Go(func() {
				start := time.Now()
				w := h.get("/probe?target="+p.name, timeoutHeader, "10")
				took := time.Since(start)
				switch up := strings.Contains(w.Body.String(), "tapo_up 1\n"); {
				case w.Code != http.StatusOK || took > 9500*time.Millisecond:
					t.Errorf("%s at %v: status %d after %v", p.name, now, w.Code, took)
				case calm && !up:
					t.Errorf("%s at %v, with nothing wrong:\n%s", p.name, now, w.Body)
				}
			})
		}
		if calm {
			p.calm++
		}
	}
	group.Wait()
	for _, p := range plugs {
		if n := p.OpenConnections(); n > 1 && !p.faulty {
			t.Errorf("%s at %v: %d connections", p.name, now, n)
		}
	}
}

// judge compares the counters of a plug with what the rules allow.
func (p *soaked) judge(t *testing.T) {
	s := p.Stats()
	expiries := int(soakTime()/p.SessionLifetime) + 1
	if p.Model.Protocol == simulator.TPAP {
		expiries += expiries / 50 // renewed a minute early
	}
	if most := 1 + expiries + p.hits/2; s.Logins > most {
		t.Errorf("%s: %d logins, of which %d can be explained", p.name, s.Logins, most)
	}
	if most := p.probes * 11 / 10; s.Requests > most { // two servers share what each would ask for
		t.Errorf("%s: %d requests for %d probes, want %d at most", p.name, s.Requests, 2*p.probes, most)
	}
	if failed := s.Steps["pake_share"] - s.Logins; p.Model.Protocol == simulator.TPAP && failed > p.shares {
		t.Errorf("%s: %d logins without an outcome, of which %d can be explained", p.name, failed, p.shares)
	}
	if s.LoginFailures > 0 && p.Model.Firmware != simulator.P110Old.Firmware { // which takes the old login only
		t.Errorf("%s: %d logins refused", p.name, s.LoginFailures)
	}
	if p.calm < p.probes/4 || p.hits < int(20*soakTime()/longSoak) {
		t.Errorf("%s: %d of %d probes without a fault, %d hits: this test looks at nothing", p.name, p.calm, p.probes, p.hits)
	}
	t.Logf("%s %s: %d probes, %d calm, %d requests, %d logins, %d hits", p.name, p.Model.Protocol, p.probes, p.calm, s.Requests, s.Logins, p.hits)
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
