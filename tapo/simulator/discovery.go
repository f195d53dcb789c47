// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/tdp"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
)

// startDiscovery listens for discovery probes, if the plug has a Discovery address.
func (p *Plug) startDiscovery() error {
	if p.Discovery == "" {
		return nil
	}
	at, err := net.ResolveUDPAddr("udp4", p.Discovery)
	if err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	if p.udp, err = net.ListenUDP("udp4", at); err != nil {
		return err
	}
	p.server.group.Go(func() {
		packet := make([]byte, 2048)
		for {
			n, from, err := p.udp.ReadFromUDPAddrPort(packet)
			if err != nil {
				return
			}
			p.receiveProbe(packet[:n], func(reply []byte) { _, _ = p.udp.WriteToUDPAddrPort(reply, from) })
		}
	})
	return nil
}

// DiscoveryAddr is the UDP address where the plug replies to discovery probes. It is
// the zero value if the plug has none.
func (p *Plug) DiscoveryAddr() netip.AddrPort {
	if p.udp == nil {
		return netip.AddrPort{}
	}
	at, _ := netip.ParseAddrPort(p.udp.LocalAddr().String())
	return at
}

// receiveProbe counts a datagram. If it is a discovery probe, the plug wakes up and
// replies.
func (p *Plug) receiveProbe(packet []byte, reply func([]byte)) (woken bool) {
	_, ok := tdp.ParseProbe(packet)
	p.mu.Lock()
	p.stats.Datagrams++
	wake := p.asleep && ok
	p.asleep = p.asleep && !ok
	payload := p.discoveryReply()
	p.mu.Unlock()
	if wake {
		l, err := p.listen(p.address.String())
		if err != nil {
			return false
		}
		p.server.resume(l, p.serveConn)
	}
	if ok && reply != nil {
		reply(tdp.Reply(payload))
	}
	return wake
}

// discoveryReply returns the JSON of a reply to a discovery probe, with the members
// that python-kasa's discover.py reads. The oldest firmware has no login version.
func (p *Plug) discoveryReply() []byte {
	scheme := map[string]any{"is_support_https": false, "encrypt_type": "KLAP", "http_port": p.address.Port(), "lv": 2}
	result := map[string]any{
		"device_id": p.identity.hardwareID, "owner": tdp.Owner(p.Username), "device_type": p.Model.kind(), "device_model": p.Model.Name,
		"ip": p.address.Addr().String(), "mac": p.identity.mac, "is_support_iot_cloud": true, "obd_src": "tplink", "factory_default": false,
		"mgt_encrypt_schm": scheme,
	}
	if p.Model.Region != "" {
		result["device_model"] = p.Model.Name + "(" + p.Model.Region + ")"
	}
	if p.Username == "" {
		result["owner"], result["factory_default"] = "", true
	}
	switch {
	case p.Model.Protocol == Passthrough:
		scheme["encrypt_type"] = "AES"
		if p.Model.LoginVersion == passthrough.LoginClear {
			delete(scheme, "lv")
		}
	case p.Model.Protocol == TPAP, p.Model.Compatibility: // announces TPAP although it speaks KLAP (python-kasa/python-kasa#1733)
		scheme["encrypt_type"] = "TPAP"
		result["protocol_version"], result["tpap_preferred"] = 1, p.Model.Protocol == TPAP
		result["tpap"] = map[string]any{"tls": p.TPAP.TLS, "dac": 0, "noc": 0, "pake": p.TPAP.Pake, "port": p.tpapPort()}
	}
	if p.EditReply != nil {
		p.EditReply(result)
	}
	payload, _ := json.Marshal(map[string]any{"result": result, "error_code": 0}) //nolint:errchkjson // of our own making
	return payload
}
