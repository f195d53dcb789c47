// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/hex"
	"net"
	"testing"
	"time"
)

// TestSleep: a discovery probe wakes the plug, and no other datagram does.
func TestSleep(t *testing.T) {
	p := start(t, &Plug{Listen: "127.0.77.2:0"})
	connects := func() bool {
		c, err := net.DialTimeout("tcp", p.Addr().String(), time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	if !connects() {
		t.Fatal("not awake")
	}
	if err := p.Sleep(); err != nil {
		t.Fatal(err)
	}
	udp, err := net.Dial("udp", "127.0.77.2:20002")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	send := func(packet []byte, datagrams int) {
		t.Helper()
		if _, err := udp.Write(packet); err != nil {
			t.Fatal(err)
		}
		for p.Stats().Datagrams < datagrams {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(5 * time.Millisecond)
	}
	send([]byte("x"), 1)
	if connects() {
		t.Error("awake of anything")
	}
	probe, _ := hex.DecodeString("020000010000000000000000463cb5d3")
	send(probe, 2)
	if !connects() {
		t.Error("not awake after a probe")
	}
}
