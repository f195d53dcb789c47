// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash/crc32"
	"net"
	"testing"
	"time"
)

// TestSleep: the plug wakes at a discovery probe, and at nothing else.
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

func TestIsProbe(t *testing.T) {
	sealed := func(packet []byte) []byte {
		binary.BigEndian.PutUint32(packet[12:], 0x5a6b7c8d)
		binary.BigEndian.PutUint32(packet[12:], crc32.ChecksumIEEE(packet))
		return packet
	}
	for text, want := range map[string]bool{
		"020000010000000000000000463cb5d3":     true,
		"020000010000000000000000463cb5d4":     false, // CRC
		"02000001000000000000000046":           false,
		"020000010000000000000000463cb5d37b7d": false, // a payload that is not announced
	} {
		packet, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := isProbe(packet); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
	withPayload := sealed(append([]byte{2, 0, 0, 1, 0, 2, 0x11, 0, 1, 2, 3, 4, 0, 0, 0, 0}, "{}"...))
	if !isProbe(withPayload) {
		t.Error("a probe with a payload")
	}
	withPayload[1] = 1
	if isProbe(sealed(withPayload)) {
		t.Error("another message type")
	}
}

// FuzzIsProbe feeds anything to what looks at datagrams.
func FuzzIsProbe(f *testing.F) {
	probe, _ := hex.DecodeString("020000010000000000000000463cb5d3")
	f.Add(probe)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		if isProbe(packet) && (len(packet) < 16 || packet[0] != 2) {
			t.Errorf("%x", packet)
		}
	})
}

// FuzzCall feeds anything to what a session hands over.
func FuzzCall(f *testing.F) {
	f.Add([]byte(`{"method":"multipleRequest","params":{"requests":[{"method":"get_device_info"},{"method":"get_energy_usage"}]}}`))
	f.Add([]byte(`{"method":"set_device_info","params":{"device_on":false}}`))
	f.Add([]byte(`{"method":"multipleRequest","params":{"requests":{}}}`))
	p := &Plug{}
	if err := p.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(p.Close)
	f.Fuzz(func(t *testing.T, plain []byte) {
		c, code := parseCall(plain)
		if code != 0 {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if reply := p.execute(c, Fault{}); !json.Valid(reply) {
			t.Errorf("%s is answered with %s", plain, reply)
		}
	})
}
