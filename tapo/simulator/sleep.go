// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"net"
	"net/netip"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/tdp"
)

// Sleep simulates a power cut with firmware 1.4.6
// (petretiandrea/home-assistant-tapo-p100#958). The plug loses its sessions, and
// refuses connections until a discovery probe arrives at UDP port 20002 of its
// address, or at [Plug.Discovery]. On real sockets the plug should have an address of
// its own, such as 127.0.1.7. Without Discovery the plug wakes up but does not reply.
func (p *Plug) Sleep() error {
	p.LoseSession()
	p.mu.Lock()
	p.asleep = true
	p.mu.Unlock()
	if p.udp != nil {
		p.server.pause()
		return nil
	}
	address := netip.AddrPortFrom(p.address.Addr(), tdp.Port)
	if p.Network != nil {
		p.server.pause()
		p.Network.onDatagram(address.String(), func(packet []byte) {
			if p.receiveProbe(packet, nil) {
				p.Network.onDatagram(address.String(), nil)
			}
		})
		return nil
	}
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(address))
	if err != nil {
		return err
	}
	p.server.pause()
	p.server.group.Go(func() {
		defer udp.Close()
		packet := make([]byte, 2048)
		for {
			n, err := udp.Read(packet)
			if err != nil || p.receiveProbe(packet[:n], nil) {
				return
			}
		}
	})
	p.server.onClose(udp)
	return nil
}
