// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/tpap"
)

func TestCloseWaits(t *testing.T) {
	p := &Plug{Latency: time.Hour}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	p.Close()
	p.Close() // closing twice is allowed
	if _, err := net.Dial("tcp", p.Addr().String()); err == nil {
		t.Error("it still listens")
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection still stands")
	}
}

func TestStartFails(t *testing.T) {
	p := start(t, &Plug{})
	if err := (&Plug{Listen: p.Addr().String()}).Start(); err == nil {
		t.Error("the port is in use")
	}
	if err := (&Plug{Region: "Mars/Olympus"}).Start(); err == nil {
		t.Error("there is no such region")
	}
}

// TestNewCredentials: TPAP uses the credentials that the plug was given last.
func TestNewCredentials(t *testing.T) {
	p := newProver(t, TPAPOptions{})
	p.login()
	p.plug.SetCredentials("u", "q")
	for password, want := range map[string]int{"p": tpap.CodeDenied, "q": 0} {
		params, _ := p.register(password)
		if code, _ := p.step(params); code != want {
			t.Errorf("password %s: %d, want %d", password, code, want)
		}
	}
}

func TestCompatibilitySwitch(t *testing.T) {
	p := newProver(t, TPAPOptions{})
	path, frames := p.login()
	p.plug.SetCompatibility(true)
	if code, result := p.step(map[string]any{"sub_method": tpap.Discover}); code != 0 || result["tpap"] != nil {
		t.Errorf("on: %d %v", code, result)
	}
	if status, _, _ := post(t, p.plug, "/app/handshake1", "", make([]byte, 16)); status != 200 {
		t.Errorf("on: handshake1 %d", status)
	}
	if status, _, _ := post(t, p.plug, path, "", frames.Seal(100, nil)); status != 404 {
		t.Errorf("on: data %d", status)
	}
	p.plug.SetCompatibility(false)
	if status, _, _ := post(t, p.plug, "/app/handshake1", "", make([]byte, 16)); status != 403 {
		t.Errorf("off: handshake1 %d", status)
	}
	p.login()
	p.plug.SetModel(P110)
	p.plug.SetCompatibility(false) // older firmware has no such switch
	if status, _, _ := post(t, p.plug, "/app/handshake1", "", make([]byte, 16)); status != 200 {
		t.Errorf("older firmware: handshake1 %d", status)
	}
}
