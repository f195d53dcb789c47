// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net"
	"net/netip"
)

const (
	discoveryPort = 20002

	probeHeader  = 16
	probeCRCSeed = 0x5a6b7c8d // in the place of the CRC while that is calculated
)

// Sleep cuts the power for a moment: the plug forgets its session, and refuses
// connections as firmware 1.4.6 does after that, until a discovery probe arrives at UDP port 20002 of its address. On real
// sockets the plug should have an address of its own for that, such as
// 127.0.1.7. The probe is not answered.
func (p *Plug) Sleep() error {
	p.LoseSession()
	address := netip.AddrPortFrom(p.address.Addr(), discoveryPort)
	if p.Network != nil {
		p.server.pause()
		p.Network.onDatagram(address.String(), func(packet []byte) {
			if p.receiveProbe(packet) {
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
			if err != nil || p.receiveProbe(packet[:n]) {
				return
			}
		}
	})
	p.server.onClose(udp)
	return nil
}

// receiveProbe counts a datagram, and wakes the plug if it is a discovery probe.
func (p *Plug) receiveProbe(packet []byte) bool {
	p.mu.Lock()
	p.stats.Datagrams++
	p.mu.Unlock()
	if !isProbe(packet) {
		return false
	}
	l, err := p.listen(p.address.String())
	if err != nil {
		return false
	}
	p.server.resume(l, p.serveConn)
	return true
}

// isProbe checks a datagram's header: version 2, message type 0, operation 1,
// the length of the payload, and the CRC-32 of the whole with a seed in its
// place.
func isProbe(packet []byte) bool {
	if len(packet) < probeHeader || !bytes.HasPrefix(packet, []byte{2, 0, 0, 1}) ||
		int(binary.BigEndian.Uint16(packet[4:])) != len(packet)-probeHeader {
		return false
	}
	seeded := bytes.Clone(packet)
	binary.BigEndian.PutUint32(seeded[12:], probeCRCSeed)
	return binary.BigEndian.Uint32(packet[12:]) == crc32.ChecksumIEEE(seeded)
}
