// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"strings"
	"testing"
)

func TestKLAPIsStrict(t *testing.T) {
	p := start(t, &Plug{})
	if status, _, _ := post(t, p, "/app/handshake1", "", make([]byte, 15)); status != 400 {
		t.Errorf("short seed: %d", status)
	}
	if status, _, _ := post(t, p, "/app/handshake2", "TP_SESSIONID=unknown", make([]byte, 32)); status != 400 {
		t.Errorf("unknown cookie: %d", status)
	}
	_, header, _ := post(t, p, "/app/handshake1", "", make([]byte, 16))
	whole := header.Get("Set-Cookie")
	cookie, _, _ := strings.Cut(whole, ";")
	if status, _, _ := post(t, p, "/app/handshake2", whole, make([]byte, 32)); status != 400 {
		t.Errorf("TIMEOUT sent back: %d", status)
	}
	if status, _, _ := post(t, p, "/app/handshake2", "a=b", make([]byte, 32)); status != 400 {
		t.Errorf("no session among the cookies: %d", status)
	}
	if status, _, _ := post(t, p, "/app/handshake2", "a=b; "+cookie, make([]byte, 32)); status != 403 {
		t.Errorf("another cookie beside the session: %d", status)
	}
	if status, _, _ := post(t, p, "/app/handshake2", cookie, make([]byte, 32)); status != 403 || p.Stats().LoginFailures != 2 {
		t.Errorf("wrong hash: %d", status)
	}

	c := login(t, p)
	first := c.InitialSeq() + 1
	frame := c.Seal(first, []byte(`{"method":"get_device_info"}`))
	damaged := bytes.Clone(frame)
	damaged[40] ^= 1
	if got := c.send(t, p, first, damaged); got != 403 {
		t.Errorf("damaged: %d", got)
	}
	if got := c.send(t, p, first+1, c.Seal(first+1, []byte(`{}`))); got != 403 {
		t.Errorf("a number left out: %d", got)
	}
	if got := c.send(t, p, first, frame); got != 200 {
		t.Errorf("right: %d", got)
	}
	if got := c.send(t, p, first, frame); got != 403 {
		t.Errorf("repeated: %d", got)
	}
	login(t, p)
	if got := c.send(t, p, first+1, c.Seal(first+1, []byte(`{}`))); got != 403 {
		t.Errorf("after another client's login: %d", got)
	}

	lenient := start(t, &Plug{LenientSequence: true})
	c = login(t, lenient)
	if got := c.ask(t, lenient, 100, `{"method":"get_current_power"}`); !strings.Contains(got, "current_power") {
		t.Errorf("lenient: %s", got)
	}
	if got := c.ask(t, lenient, 99, `{"method":"get_current_power"}`); got != "403" {
		t.Errorf("lenient, backwards: %s", got)
	}
}
