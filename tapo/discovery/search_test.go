// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/tdp"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"192.168.1.20": "192.168.1.20:20002", "255.255.255.255": "255.255.255.255:20002", "127.0.0.1:7": "127.0.0.1:7",
		"": "", "plug.lan": "", "::1": "", "[::1]:7": "", "192.168.1": "", "127.0.0.1:0": "", "127.0.0.1:x": "", "127.0.0.1:70000": "",
	} {
		got, err := ParseAddress(text)
		if (err == nil) != (want != "") || err == nil && got.String() != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// search runs a search over addresses, and returns the devices by address.
func search(t *testing.T, timeout time.Duration, addresses ...string) []Device {
	t.Helper()
	var found []Device
	if err := (Search{Addresses: addresses, Timeout: timeout}).Run(t.Context(), func(d Device) { found = append(found, d) }); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(found, func(a, b Device) int { return a.Address.Compare(b.Address) })
	return found
}

func TestSearchUnicast(t *testing.T) {
	var plugs []*simulator.Plug
	var addresses []string
	for i, m := range []simulator.Model{simulator.P110, simulator.P110TPAP, simulator.P100Old, simulator.P304M} {
		p := startPlug(t, &simulator.Plug{Model: m, Listen: "127.0.78." + string(rune('1'+i)) + ":0", Discovery: "127.0.78." + string(rune('1'+i)) + ":0"})
		plugs, addresses = append(plugs, p), append(addresses, p.DiscoveryAddr().String())
	}
	found := search(t, 300*time.Millisecond, append(addresses, "127.0.78.9:20002")...) // the last address has no plug
	if len(found) != len(plugs) {
		t.Fatalf("found %+v", found)
	}
	for i, d := range found {
		m := plugs[i].Model
		want := map[simulator.Protocol]tapo.Protocol{simulator.KLAP: tapo.KLAP, simulator.TPAP: tapo.TPAP, simulator.Passthrough: tapo.Passthrough}[m.Protocol]
		if d.Address != plugs[i].Addr() || d.Model != m.Name || d.Region != m.Region || d.Protocol() != want || !d.IsPlug() || d.Owner != Owner("user@example.com") {
			t.Errorf("%+v", d)
		}
		if got := plugs[i].Stats().Datagrams; got != 3 {
			t.Errorf("%s was asked %d times", d.Model, got)
		}
	}
}

// TestSearchBroadcast sends to the broadcast address of the loopback network.
func TestSearchBroadcast(t *testing.T) {
	p := startPlug(t, &simulator.Plug{Discovery: "0.0.0.0:0"})
	_, port, _ := net.SplitHostPort(p.DiscoveryAddr().String())
	found := search(t, 300*time.Millisecond, "127.255.255.255:"+port)
	if len(found) != 1 || found[0].Address != p.Addr() {
		t.Errorf("found %+v", found)
	}
}

// TestInterfaces: there is a socket for each interface, with the address of that
// interface. The test sends nothing.
func TestInterfaces(t *testing.T) {
	senders, err := Search{Addresses: []string{Broadcast, "127.0.0.1:7", "127.0.0.1"}}.open()
	if err != nil {
		t.Fatal(err)
	}
	locals := interfaceAddresses()
	if want := 1 + max(1, len(locals)); len(senders) != want {
		t.Errorf("%d sockets, want %d", len(senders), want)
	}
	for i, s := range senders {
		if i == 0 && len(s.to) != 2 || i > 0 && (len(s.to) != 1 || s.to[0].String() != "255.255.255.255:20002") {
			t.Errorf("socket %d asks %v", i, s.to)
		}
		if i > 0 && len(locals) > 0 && netip.MustParseAddrPort(s.conn.LocalAddr().String()).Addr() != locals[i-1] {
			t.Errorf("socket %d is at %v", i, s.conn.LocalAddr())
		}
		s.conn.Close()
	}
}

// flood answers the first probe with so many packets from each of its addresses.
func flood(t *testing.T, sources int, packets ...[]byte) (address string) {
	t.Helper()
	var conns []*net.UDPConn
	for i := range sources {
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 1, byte(i/250), byte(i%250+1))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { udp.Close() })
		conns = append(conns, udp)
	}
	go func() {
		packet := make([]byte, 2048)
		_, to, err := conns[0].ReadFromUDPAddrPort(packet)
		if err != nil {
			return
		}
		for i, reply := range packets {
			if i%100 == 0 {
				time.Sleep(time.Millisecond) // or else the kernel drops most of them
			}
			_, _ = conns[i%len(conns)].WriteToUDPAddrPort(reply, to)
		}
	}()
	return conns[0].LocalAddr().String()
}

// invented is the reply of a device that does not exist.
func invented(i int) []byte {
	return tdp.Reply([]byte(`{"result":{"device_id":"` + strconv.Itoa(i) + `"}}`))
}

// TestSearchHostile: among replies that are damaged or too many, the search ends in
// time, finds the plug, and finds a bounded number of others.
func TestSearchHostile(t *testing.T) {
	packets := [][]byte{nil, {1}, make([]byte, 16), make([]byte, 60000), []byte(strings.Repeat("{", 9000))}
	for i := range 3000 {
		packets = append(packets, invented(i))
	}
	start := time.Now()
	plug := startPlug(t, &simulator.Plug{Listen: "127.0.78.20:0", Discovery: "127.0.78.20:0"})
	found := search(t, 400*time.Millisecond, flood(t, 1, packets...), plug.DiscoveryAddr().String())
	plugFound := slices.ContainsFunc(found, func(d Device) bool { return d.Address == plug.Addr() })
	if len(found) < 2 || len(found) > 10 || !plugFound {
		t.Errorf("found %d", len(found))
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// TestSearchManyHosts: the replies of all hosts together are bounded as well.
func TestSearchManyHosts(t *testing.T) {
	var packets [][]byte
	for i := range 2 * maxReplies {
		packets = append(packets, invented(i))
	}
	found := search(t, time.Second, flood(t, 2*maxReplies/maxPerHost, packets...))
	if len(found) < maxReplies/10 || len(found) > maxReplies {
		t.Errorf("found %d", len(found))
	}
}

func TestBudget(t *testing.T) {
	b := &budget{hosts: map[netip.Addr]int{}}
	host := netip.MustParseAddr("10.0.0.0")
	parsed, decrypted := 0, 0
	for i := range 3 * maxReplies {
		if i%(2*maxPerHost) == 0 {
			host = host.Next()
		}
		parse, decrypt := b.take(host)
		if parse {
			parsed++
		}
		if decrypt {
			decrypted++
		}
	}
	if parsed != maxReplies || decrypted != maxDecrypted || len(b.hosts) != maxReplies/maxPerHost {
		t.Errorf("%d parsed, %d decrypted, %d hosts remembered", parsed, decrypted, len(b.hosts))
	}
}

func TestSearchEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := startPlug(t, &simulator.Plug{Discovery: "127.0.0.1:0"})
	err := Search{Addresses: []string{p.DiscoveryAddr().String()}, Timeout: time.Hour}.Run(ctx, func(Device) { cancel() })
	if err != nil {
		t.Error(err)
	}
	if err := (Search{Addresses: []string{"plug.lan"}}).Run(t.Context(), func(Device) {}); err == nil || !strings.Contains(err.Error(), "IPv4") {
		t.Errorf("a host name: %v", err)
	}
}

// TestFind: the first reply of the wanted device ends the search.
func TestFind(t *testing.T) {
	errNetwork := errors.New("no network")
	run := func(ctx context.Context, found func(Device)) error {
		for i, mac := range []string{"AA-BB-CC-00-11-21", "AA-BB-CC-00-11-22", "AA-BB-CC-00-11-22"} {
			found(Device{MAC: mac, Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 80)})
			if i > 0 && ctx.Err() == nil {
				t.Errorf("after %d replies: %v", i+1, ctx.Err())
			}
		}
		return errNetwork
	}
	if at, err := Find(t.Context(), "AA-BB-CC-00-11-22", run); at != "192.0.2.1:80" || !errors.Is(err, errNetwork) {
		t.Errorf("%q, %v", at, err)
	}
	ended := func(context.Context, func(Device)) error { return nil }
	if at, err := Find(t.Context(), "AA-BB-CC-00-11-22", ended); at != "" || err != nil {
		t.Errorf("%q, %v", at, err)
	}
}
