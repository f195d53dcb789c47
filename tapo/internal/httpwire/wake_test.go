// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package httpwire_test

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestWakeUp: a refused connection gets one discovery probe, and another try a
// second later if there is time.
func TestWakeUp(t *testing.T) {
	for _, tc := range []struct {
		name    string
		timeout time.Duration
		closed  bool // for good
		want    tapo.Reason
		took    time.Duration
		probes  int
	}{
		{"woken", 10 * time.Second, false, plugtest.OK, 1100 * time.Millisecond, 1},
		{"no deadline", 0, false, plugtest.OK, 1100 * time.Millisecond, 1},
		{"not woken", 10 * time.Second, true, tapo.Unreachable, time.Second, 1},
		{"no time", 1900 * time.Millisecond, false, tapo.Unreachable, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := plugtest.NewHome(t, simulator.P110)
				if err := h.Plug.Sleep(); err != nil {
					t.Fatal(err)
				}
				if tc.closed {
					h.Plug.Close()
				}
				ctx, cancel := t.Context(), func() {}
				if tc.timeout > 0 {
					ctx, cancel = context.WithTimeout(ctx, tc.timeout)
				}
				defer cancel()
				start := time.Now()
				_, err := h.Device.Read(ctx)
				if got := plugtest.ReasonOf(h, err); got != tc.want || time.Since(start) != tc.took {
					t.Errorf("%s after %v, want %s after %v", got, time.Since(start), tc.want, tc.took)
				}
				if got := h.Plug.Stats().Datagrams; got != tc.probes {
					t.Errorf("%d datagrams", got)
				}
			})
		})
	}
}

// TestWakeUpOverTCP has a plug with an address of its own, since the probe
// goes to a fixed port.
func TestWakeUpOverTCP(t *testing.T) {
	t.Parallel()
	p := plugtest.Start(t, &simulator.Plug{Listen: "127.0.77.1:0"})
	if err := p.Sleep(); err != nil {
		t.Fatal(err)
	}
	plugtest.Read(t, plugtest.Device(t, p))
	if got := p.Stats().Datagrams; got != 1 {
		t.Errorf("%d datagrams", got)
	}
}

// TestWakeUpOnce: a plug that refuses connections is sent one discovery probe.
func TestWakeUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := make(chan string, 10)
		c := httpwire.NewClient(httpwire.Options{
			Address: "[2001:db8::1]:80", Logger: slog.New(slog.DiscardHandler),
			DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
				if network == "tcp" {
					return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
				}
				sent <- address
				ours, theirs := net.Pipe()
				go func() {
					probe, _ := io.ReadAll(theirs)
					sent <- hex.EncodeToString(probe)
				}()
				return ours, nil
			},
		})
		for range 2 {
			c.Begin()
			for range 2 {
				start := time.Now()
				if err := c.Connect(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Error(err)
				}
				if took := time.Since(start); took != 0 && took != time.Second {
					t.Errorf("took %v", took)
				}
			}
		}
		const probe = "020000010000000000000000463cb5d3"
		synctest.Wait()
		close(sent)
		var all []string
		for s := range sent {
			all = append(all, s)
		}
		if want := []string{"[2001:db8::1]:20002", probe, "[2001:db8::1]:20002", probe}; !slices.Equal(all, want) {
			t.Errorf("sent %q", all)
		}
	})
}
