// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// rogue answers searches with forged replies, from several addresses, as fast as it
// can until the search ends.
type rogue struct {
	probes atomic.Int32 // of the search, that have arrived
	sent   atomic.Int32
}

// startRogue starts one at the n-th and the following addresses. Each reply claims
// another MAC address, and now and then that of a victim.
func (h *home) startRogue(t *testing.T, n, hosts int, victim string) *rogue {
	t.Helper()
	r := &rogue{}
	var conns []*net.UDPConn
	for i := range hosts {
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(h.discoveryAddress(n+i))))
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	var to atomic.Pointer[netip.AddrPort] // the exporter's last socket
	var group sync.WaitGroup
	t.Cleanup(func() {
		for _, conn := range conns {
			conn.Close()
		}
		group.Wait()
	})
	group.Go(func() {
		packet := make([]byte, 2048)
		for {
			n, from, err := conns[0].ReadFromUDPAddrPort(packet)
			if err != nil {
				return
			}
			if n > 16 { // a search's, with a key, and not one that wakes a plug
				r.probes.Add(1)
				to.Store(&from)
			}
		}
	})
	group.Go(func() {
		for i := 0; ; i++ {
			if i%20 == 0 {
				time.Sleep(time.Millisecond)
			}
			at := to.Load()
			if at == nil {
				continue
			}
			mac := fmt.Sprintf("66-66-%02X-%02X-%02X-%02X", i>>24&0xff, i>>16&0xff, i>>8&0xff, i&0xff)
			if i%7 == 0 {
				mac = victim
			}
			reply := fmt.Appendf(make([]byte, 16), `{"result":{"mac":%q,"device_type":"SMART.TAPOPLUG","device_model":"P110","mgt_encrypt_schm":{"encrypt_type":"KLAP","http_port":80}},"error_code":0}`, mac)
			if _, err := conns[i%len(conns)].WriteToUDPAddrPort(reply, *at); err == nil {
				r.sent.Add(1)
			} else if strings.Contains(err.Error(), "closed") {
				return
			}
		}
	})
	return r
}

// TestForgedReplies: thousands of them, with probes of what they invent and reloads as
// often as possible, make no target, no more searches than the rate allows, and few
// lines in the log. The plug among them is a target.
func TestForgedReplies(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(103)
	lamp := h.plug(t, 1, &simulator.Plug{Name: "Lamp"})
	mac := hometest.MACOf(t, lamp)
	r := h.startRogue(t, 2, 12, mac)
	start := time.Now()
	h.start(t, auths+"targets: [{name: gone, mac: "+aMAC+"}]\n"+h.discoveryYAML("enabled: true, interval: 1h", 13), func(o *Options) { o.searchTime = searchTime })
	go h.Run(t.Context())
	var group sync.WaitGroup
	for range 4 { // clients
		group.Go(func() {
			for i := 0; r.sent.Load() < 20_000 && time.Since(start) < time.Minute; i++ {
				h.get(fmt.Sprintf("/probe?target=p110-%06x", i), timeoutHeader, "1")
				h.get("/probe?target="+h.host(2+i%12), timeoutHeader, "1")
				h.get("/probe?target=gone", timeoutHeader, "1")
				h.do("POST", "/-/reload")
				if n := len(h.labelsInSD(t)); n > 2 {
					t.Errorf("%d instances in /sd", n)
				}
			}
		})
	}
	group.Wait()
	hometest.Eventually(t, "the plug is a target", func() bool { return len(h.labelsInSD(t)) == 2 })
	if got := h.labelsInSD(t)["Lamp"]["__meta_tapo_address"]; got != lamp.Addr().String() {
		t.Errorf("the plug is at %q", got)
	}
	h.want(t, "/metrics", 200, "\ntapo_exporter_plugs_discovered 1\n")
	allowed := 2 + int(time.Since(start)/(10*time.Second)) // searches: the regular one, and one more at once
	if probes := int(r.probes.Load()); probes > 3*allowed {
		t.Errorf("%d probes of %d searches", probes, allowed)
	}
	lines := 0
	for line := range strings.Lines(h.log.String()) {
		about := func(text string) bool { return strings.Contains(line, text) && !strings.Contains(line, "level=DEBUG") }
		if about(`msg="Plug discovered`) || about(`msg="Discover`) || about("target=p110-") {
			lines++
		}
	}
	if lines > 21 {
		t.Errorf("%d lines about discovery:\n%s", lines, h.log)
	}
	if page := h.get("/").Body.String(); strings.Contains(page, "/probe?target=p110-") {
		t.Error("the page lists invented plugs")
	}
	t.Logf("%d forged replies, %d probes of searches, %d lines", r.sent.Load(), r.probes.Load(), lines)
}
