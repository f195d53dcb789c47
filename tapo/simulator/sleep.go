// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"net"
	"net/netip"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/tdp"
)

// Sleep cuts the power for a moment: the plug forgets its session, and refuses
// connections as firmware 1.4.6 does after that, until a discovery probe arrives
// at UDP port 20002 of its address, or at [Plug.Discovery]. On real sockets the
// plug should have an address of its own for that, such as 127.0.1.7. Without
// Discovery the probe is not answered.
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
