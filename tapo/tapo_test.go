// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestConcurrentReads(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{Load: simulator.Constant(60)})
	d := plugtest.Device(t, p)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 5 {
				if _, err := d.Read(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if s := p.Stats(); s.Logins != 1 || s.Requests != 4+39 {
		t.Errorf("%d logins, %d requests", s.Logins, s.Requests)
	}
}

func TestReadWaitsNoLongerThanItsContext(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{})
	d := plugtest.Device(t, p)
	p.Inject(simulator.Fault{Kind: simulator.Hang})
	slow, cancelSlow := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = d.Read(slow)
	}()
	for p.Stats().Connections == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := d.Read(ctx)
	if got := plugtest.ReasonOf(t, err); got != tapo.Timeout {
		t.Errorf("reason %s", got)
	}
	cancelSlow()
	<-done
}

func TestTrace(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{})
	var log []string
	d := plugtest.Device(t, p, func(c *tapo.Config) {
		c.Trace = tapo.Trace{
			Exchange:    func(e tapo.Exchange) { log = append(log, fmt.Sprintf("%s %t", e.Protocol, e.Took > 0)) },
			Login:       func(p tapo.Protocol) { log = append(log, "login "+string(p)) },
			LoginFailed: func(p tapo.Protocol, r tapo.Reason) { log = append(log, "failed "+string(p)+" "+string(r)) },
			SessionLost: func(p tapo.Protocol) { log = append(log, "lost "+string(p)) },
		}
	})
	if d.Protocol() != "" {
		t.Errorf("a session %q before the first read", d.Protocol())
	}
	plugtest.Read(t, d)
	if d.Protocol() != tapo.KLAP {
		t.Errorf("protocol %q", d.Protocol())
	}
	p.LoseSession()
	plugtest.Read(t, d)
	p.SetCredentials("other@example.com", "x")
	plugtest.Fails(t, d, tapo.BadCredentials)
	want := []string{
		"tpap true", "klap true", "klap true", "login klap", "klap true",
		"klap true", "lost klap", "klap true", "klap true", "login klap", "klap true",
		"klap true", "lost klap", "klap true", "failed klap bad_credentials",
	}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestCloseAndUseAgain(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{})
	d := plugtest.Device(t, p)
	plugtest.Read(t, d)
	d.Close()
	if d.Protocol() != "" {
		t.Error("there is a session after Close")
	}
	plugtest.Read(t, d)
	if p.Stats().Logins != 2 {
		t.Errorf("%d logins", p.Stats().Logins)
	}
}

func TestNewChecksItsConfiguration(t *testing.T) {
	for _, bad := range []tapo.Config{
		{},
		{Address: "http://192.168.1.20"},
		{Address: "192.168.1.20/x"},
		{Address: "192.168.1.20:0"},
		{Address: "192.168.1.20:65536"},
		{Address: "192.168.1.20:http"},
		{Address: "user@plug"},
		{Address: "a b"},
		{Address: ":80"},
		{Address: "1:2:3:xyz"},
		{Address: "192.168.1.300"},
		{Address: "192.168.1"},
		{Address: "plug", Protocol: "aes"},
	} {
		if _, err := tapo.New(bad); err == nil {
			t.Errorf("accepted %+v", bad)
		}
	}
	for address, want := range map[string]string{
		"192.168.1.20":      "192.168.1.20:80",
		"192.168.1.20:8080": "192.168.1.20:8080",
		"plug.lan":          "plug.lan:80",
		"fd00::1":           "[fd00::1]:80",
		"[fd00::1]":         "[fd00::1]:80",
		"[fd00::1]:81":      "[fd00::1]:81",
		// Other spellings of the same.
		"Plug.LAN.":             "plug.lan:80",
		"192.168.1.20:080":      "192.168.1.20:80",
		"::ffff:192.168.1.20":   "192.168.1.20:80",
		"fd00:0:0::1":           "[fd00::1]:80",
		"[FD00::0001]:80":       "[fd00::1]:80",
		"[::ffff:10.0.0.1]:080": "10.0.0.1:80",
	} {
		if got, err := tapo.ParseAddress(address); got != want || err != nil {
			t.Errorf("%s: %q, %v", address, got, err)
		}
	}
}
