// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

const (
	aMAC    = "AA-BB-CC-00-11-22"
	foreign = "00000000000000000000000000000000"
)

// said is a reply to a search.
func said(mac, at, owner string) discovery.Device {
	return discovery.Device{MAC: mac, Type: "SMART.TAPOPLUG", Model: "P110", Encryption: "KLAP", Owner: owner, Address: netip.MustParseAddrPort(at)}
}

func TestSettle(t *testing.T) {
	began := time.Now()
	earlier, later := began.Add(-time.Hour), began.Add(time.Second)
	for name, tc := range map[string]struct {
		places map[string]*place
		want   string
	}{
		"stays":                   {map[string]*place{"a": {seen: later}, "b": {seen: later}}, "a"},
		"nobody has replied":      {map[string]*place{"a": {seen: earlier}, "b": {seen: earlier}}, "a"},
		"gone":                    {map[string]*place{"a": {seen: earlier}, "b": {seen: later}}, "b"},
		"failed":                  {map[string]*place{"a": {seen: later, failed: later}, "b": {seen: later}}, "b"},
		"failed, and none other":  {map[string]*place{"a": {seen: later, failed: later}}, "a"},
		"both have failed, a now": {map[string]*place{"a": {seen: later, failed: later}, "b": {seen: later, failed: earlier}}, "b"},
		"both have failed, b now": {map[string]*place{"a": {seen: later, failed: earlier}, "b": {seen: later, failed: later}}, "a"},
	} {
		p := &found{at: "a", places: tc.places}
		if p.settle(began); p.at != tc.want {
			t.Errorf("%s: at %s, want %s", name, p.at, tc.want)
		}
	}
}

// TestBounds: what is remembered is bounded, what is listed or was read comes
// first, and newcomers before those that were never read.
func TestBounds(t *testing.T) {
	f := newFixture(t, auths+"targets: [{name: a, mac: "+aMAC+"}]\ndiscovery: {enabled: true}\n")
	f.finder.note(said("AA-BB-CC-00-00-01", "10.0.0.1:80", ""))
	f.finder.plugs["AA-BB-CC-00-00-01"].read = true
	for i := range 2 * maxPlugs {
		f.finder.note(said(fmt.Sprintf("AA-BB-CC-01-%02X-%02X", i>>8, i&0xff), "10.0.0.66:80", foreign))
	}
	f.finder.note(said(aMAC, "10.0.0.2:80", ""))
	for i := range 3 * maxPlaces {
		f.finder.note(said(aMAC, fmt.Sprintf("10.0.0.3:%d", 2000+i), ""))
		f.finder.note(said(aMAC, fmt.Sprintf("10.0.1.%d:80", i), ""))
	}
	p := f.finder.plugs[aMAC]
	if len(f.finder.plugs) > maxPlugs+1 || f.finder.plugs["AA-BB-CC-00-00-01"] == nil || p == nil || len(p.places) > maxPlaces || p.at != "10.0.0.2:80" || p.places[p.at] == nil {
		t.Errorf("%d plugs, %+v", len(f.finder.plugs), p)
	}
	f.finder.note(said(aMAC, "10.0.0.9:80", ""))
	for i := range 3 * maxPlaces {
		f.finder.note(said(aMAC, fmt.Sprintf("10.0.0.66:%d", 2000+i), ""))
	}
	if p.places["10.0.0.9:80"] == nil {
		t.Error("another host's ports push a place out")
	}
	f.finder.note(said("AA-BB-CC-00-00-02", "10.0.0.4:80", ""))
	if got := len(f.sd(t)); got != 3 {
		t.Errorf("%d targets", got)
	}
}

// TestWhereRepliesComeFrom: only what may be a plug of a local network is looked
// at.
func TestWhereRepliesComeFrom(t *testing.T) {
	f := newFixture(t, auths+"discovery: {enabled: true, addresses: [203.0.113.5, 255.255.255.255]}\n")
	for at, want := range map[string]bool{
		"10.0.0.1:80": true, "192.168.1.2:80": true, "172.16.0.3:8080": true, "127.0.0.1:40000": true, "169.254.1.1:80": true, "203.0.113.5:80": true,
		"8.8.8.8:80": false, "169.254.169.254:80": false, "192.168.1.2:22": false, "203.0.113.6:80": false, "100.64.0.1:80": false,
	} {
		clear(f.finder.plugs)
		f.finder.note(said(aMAC, at, ""))
		if got := len(f.finder.plugs) == 1; got != want {
			t.Errorf("%s: %t", at, got)
		}
	}
}

// TestForeignOwner does not hide a plug that replies as well, or that was read.
func TestForeignOwner(t *testing.T) {
	f := newFixture(t, auths+"discovery: {enabled: true}\n")
	f.finder.note(said(aMAC, "10.0.0.66:80", foreign))
	if got := f.sd(t); len(got) != 0 {
		t.Errorf("%v", got)
	}
	f.finder.note(said(aMAC, "10.0.0.1:80", ""))
	if got := f.sd(t)["p110-001122"]["__meta_tapo_address"]; got != "10.0.0.1:80" {
		t.Errorf("at %s", got)
	}
	f.finder.plugs[aMAC].read = true
	f.finder.note(said(aMAC, "10.0.0.1:80", foreign))
	if len(f.sd(t)) != 1 {
		t.Error("gone by one datagram")
	}
}

// TestSteadyNames are not changed by what others reply.
func TestSteadyNames(t *testing.T) {
	f := newFixture(t, auths+"discovery: {enabled: true}\n")
	f.finder.note(said(aMAC, "10.0.0.1:80", ""))
	f.sd(t)
	f.finder.note(said("10-00-00-00-11-22", "10.0.0.66:80", foreign))
	f.finder.note(said("12-00-00-00-11-22", "10.0.0.2:80", ""))
	other := said(aMAC, "10.0.0.1:80", "")
	other.Model = "P999"
	f.finder.note(other)
	for range 2 {
		if got := f.sd(t); len(got) != 2 || got["p110-001122"] == nil || got["p110-001122-120000"] == nil {
			t.Errorf("%v", got)
		}
	}
	f.write(t, auths+"targets: [{name: p110-001122, address: 10.9.9.9}]\ndiscovery: {enabled: true}\n")
	f.do(http.MethodPost, "/-/reload")
	if got := f.sd(t); len(got) != 3 || got["p110-001122"]["__meta_tapo_address"] != "10.9.9.9" || got["p110-001122 "+aMAC] == nil {
		t.Errorf("%v", got)
	}
}

// TestFoundByAddress: another account than discovery's reads a found plug by its
// address, as it would one that was not found.
func TestFoundByAddress(t *testing.T) {
	dial := func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }
	f := newFixture(t, "auths: {home: {username: u, password: p}, office: {username: u2, password: q}}\ndiscovery: {enabled: true, auth: home}\n",
		func(o *Options) { o.DialContext = dial })
	f.write(t, "auths: {home: {username: u, password: p}, office: {username: u2, password: q}}\ndiscovery: {enabled: true, auth: home}\n"+
		"targets: [{name: a, address: 10.0.0.6, auth: home}]\n")
	f.do(http.MethodPost, "/-/reload")
	f.want(t, "/probe?target=10.0.0.6&auth=office", 400)
	f.finder.note(said(aMAC, "10.0.0.5:80", ""))
	f.want(t, "/probe?target=10.0.0.5&auth=office", 200)
	f.want(t, "/probe?target=10.0.0.5&auth=home", 200)
	f.want(t, "/probe?target=p110-001122&auth=office", 400)
}

// TestAddressIsNotFollowed: who asks for an address gets what is there.
func TestAddressIsNotFollowed(t *testing.T) {
	t.Parallel()
	for i, kind := range []string{"listed", "found"} {
		s := newStreet(t, 93+i)
		plug := s.plug(1, &simulator.Plug{Name: "Wanderer"})
		wanted := mac(t, plug)
		yaml := fmt.Sprintf("%stargets: [{name: a, mac: %s}]\n%s", auths, wanted, s.yaml("interval: 1h", 3))
		if kind == "found" {
			yaml = auths + s.yaml("enabled: true, interval: 1h", 3)
		}
		f := run(t, yaml)
		eventually(t, "found", func() bool { return strings.Contains(f.probed(s.host(1)), wanted) })
		plug.Close()
		s.plug(1, &simulator.Plug{Name: "Heir"})
		s.plug(2, &simulator.Plug{Name: "Wanderer"})
		if text := f.probed(s.host(1)); strings.Contains(text, wanted) {
			t.Errorf("%s: asked for the address of the heir: %s", kind, text)
		}
	}
}

// TestLiarRefuses: what has refused a login under a plug's MAC is not the plug.
func TestLiarRefuses(t *testing.T) {
	t.Parallel()
	s := newStreet(t, 95)
	options := simulator.TPAPOptions{Iterations: 10}
	liar := s.plug(1, &simulator.Plug{Name: "Real", Model: simulator.P110TPAP, Username: "x@example.com", Password: "liar", TPAP: options})
	wanted := mac(t, liar)
	f := run(t, fmt.Sprintf("%stargets: [{name: a, mac: %s}]\n%s", auths, wanted, s.yaml("interval: 1h", 2)))
	f.probed("a")
	liar.Close()
	s.plug(2, &simulator.Plug{Name: "Real", Model: simulator.P110TPAP, TPAP: options})
	for i := range 4 {
		if text := f.probed("a"); i > 1 && !strings.Contains(text, "tapo_up 1\n") {
			t.Errorf("probe %d: %s", i, text)
		}
	}
}

// TestMoveDuringBackoff: a plug that comes back late is found although what has
// its address now has refused our login.
func TestMoveDuringBackoff(t *testing.T) {
	t.Parallel()
	s := newStreet(t, 96)
	before := s.plug(1, &simulator.Plug{Name: "Wanderer"})
	f := run(t, fmt.Sprintf("%stargets: [{name: a, mac: %s}]\n%s", auths, mac(t, before), s.yaml("interval: 1h", 3)))
	f.probed("a")
	listen := before.Addr().String()
	before.Close()
	startPlug(t, &simulator.Plug{Name: "Heir", Listen: listen, Username: "x@example.com", Password: "y"})
	f.probed("a")
	f.probed("a")
	s.plug(2, &simulator.Plug{Name: "Wanderer"})
	f.probed("a")
	f.want(t, "/probe?target=a", 200, "tapo_up 1\n")
}

// TestNamingEnds with the probe that wants it, and is done some at a time.
func TestNamingEnds(t *testing.T) {
	var dials, atATime, most atomic.Int32
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		dials.Add(1)
		most.Store(max(most.Load(), atATime.Add(1)))
		defer atATime.Add(-1)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	f := newFixture(t, auths+"discovery: {enabled: true}\n", func(o *Options) { o.DialContext, o.Timeout = dial, time.Second })
	for i := range 100 {
		f.finder.note(said(fmt.Sprintf("AA-BB-CC-00-00-%02X", i), fmt.Sprintf("10.0.0.%d:80", i+1), ""))
	}
	f.want(t, "/probe?target=unknown", 400)
	if dials.Load() > 16 || most.Load() > 8 {
		t.Errorf("%d dials, %d at a time", dials.Load(), most.Load())
	}
	tried := 0
	for _, p := range f.finder.plugs {
		if p.tried {
			tried++
		}
	}
	if tried > 16 {
		t.Errorf("%d plugs count as tried", tried)
	}
}

// TestReloadDuringSearch: new addresses are asked at once.
func TestReloadDuringSearch(t *testing.T) {
	t.Parallel()
	s := newStreet(t, 97)
	s.plug(2, &simulator.Plug{Name: "Late"})
	f := run(t, auths+s.yaml("enabled: true, interval: 1h", 1))
	time.Sleep(700 * time.Millisecond) // after the first search
	f.finder.begin(t.Context())
	time.Sleep(50 * time.Millisecond)
	f.write(t, auths+s.yaml("enabled: true, interval: 1h", 2))
	f.do(http.MethodPost, "/-/reload")
	eventually(t, "the new address is asked", func() bool { return len(f.sd(t)) == 1 })
}

// TestFactoryResetPlug: a plug that somebody has reset belongs to nobody. It may
// be probed, and says what is wrong; nothing of it is believed.
func TestFactoryResetPlug(t *testing.T) {
	t.Parallel()
	s := newStreet(t, 98)
	for i, m := range []simulator.Model{simulator.P110, simulator.P110TPAP} {
		plug := &simulator.Plug{
			Model: m, Name: fmt.Sprint("New ", i), Listen: s.host(i+1) + ":0", Discovery: fmt.Sprintf("%s:%d", s.host(i+1), s.port),
			TPAP: simulator.TPAPOptions{Iterations: 10, Pake: []int{0}},
		}
		if err := plug.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(plug.Close)
	}
	f := run(t, auths+s.yaml("enabled: true", 2))
	eventually(t, "both are found", func() bool { return len(f.sd(t)) == 2 })
	for name := range f.sd(t) {
		text := f.probed(name)
		if !strings.Contains(text, `reason="bad_credentials"`) || strings.Contains(text, "tapo_outlet") {
			t.Errorf("%s: %s", name, text)
		}
	}
	f.want(t, "/", 200, "The plug is not bound to your account")
}

// TestMovedFromSilence: what has the plug's address now accepts connections and
// says nothing, so that the first probe ends before its read.
func TestMovedFromSilence(t *testing.T) {
	t.Parallel()
	s := newStreet(t, 99)
	before := s.plug(1, &simulator.Plug{Name: "Wanderer"})
	f := run(t, fmt.Sprintf("%stargets: [{name: a, mac: %s}]\n%s", auths, mac(t, before), s.yaml("interval: 1h", 3)))
	f.probed("a")
	listen := before.Addr().String()
	before.Close()
	startPlug(t, &simulator.Plug{Name: "Heir", Listen: listen}).Inject(simulator.Fault{Kind: simulator.Hang})
	s.plug(2, &simulator.Plug{Name: "Wanderer"})
	for i, want := range []string{"tapo_up 0\n", "tapo_up 1\n"} {
		if text := f.get("/probe?target=a", timeoutHeader, "1.5").Body.String(); !strings.Contains(text, want) {
			t.Errorf("probe %d: %s", i, text)
		}
	}
}

// TestLateNews: a probe waits a moment for the search that is looking for a plug
// which was not at its last address.
func TestLateNews(t *testing.T) {
	f := newFixture(t, auths+"targets: [{name: a, mac: "+aMAC+"}]\n")
	f.finder.note(said(aMAC, "10.0.0.1:80", ""))
	f.finder.plugs[aMAC].places["10.0.0.1:80"].failed = time.Now()
	f.finder.search = &search{started: time.Now(), done: make(chan struct{}), news: make(chan struct{})}
	go func() {
		time.Sleep(50 * time.Millisecond)
		f.finder.note(said(aMAC, "10.0.0.2:80", ""))
	}()
	if got, err := f.finder.locate(t.Context(), config.Target{MAC: aMAC}); err != nil || got.Address != "10.0.0.2:80" {
		t.Errorf("at %s, %v", got.Address, err)
	}
}

// TestMovedUnprobed: a search alone finds a plug that was read and has moved.
func TestMovedUnprobed(t *testing.T) {
	t.Parallel()
	s := newStreet(t, 100)
	before := s.plug(1, &simulator.Plug{Name: "Wanderer"})
	f := run(t, fmt.Sprintf("%stargets: [{name: a, mac: %s}]\n%s", auths, mac(t, before), s.yaml("interval: 1h", 2)))
	f.probed("a")
	before.Close()
	now := s.plug(2, &simulator.Plug{Name: "Wanderer"})
	eventually(t, "the first search has ended", func() bool {
		f.finder.mu.Lock()
		defer f.finder.mu.Unlock()
		return f.finder.search == nil
	})
	<-f.finder.begin(t.Context()).done
	if got := f.sd(t)["a"]["__meta_tapo_address"]; got != now.Addr().String() {
		t.Errorf("at %s", got)
	}
}
