// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package plugtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// ProbeTime is what Prometheus leaves of its ten seconds.
const ProbeTime = 9500 * time.Millisecond

// Home is a plug and its client in the simulated time of testing/synctest.
type Home struct {
	*testing.T
	Plug   *simulator.Plug
	Guard  *tapo.Guard // of the clients to come; nil gives each its own
	Device *tapo.Device
}

// NewHome starts a plug of a model, which takes 25 ms for an answer.
func NewHome(t *testing.T, m simulator.Model) *Home {
	t.Helper()
	h := StartHome(t, &simulator.Plug{Model: m, Latency: 25 * time.Millisecond})
	h.Device = h.NewDevice()
	return h
}

// StartHome starts a plug as it is given, on a network of its own. It draws 60 W
// unless it has a load. The client is the caller's to make.
func StartHome(t *testing.T, p *simulator.Plug) *Home {
	t.Helper()
	if time.Now().Year() == 2000 { // where bubbles begin, and plugs are whose clock is not set
		time.Sleep(time.Until(time.Date(2026, 7, 4, 10, 0, 0, 0, time.UTC)))
	}
	p.Network, p.Listen, p.TPAP.Iterations = new(simulator.Network), "192.0.2.1:80", 10
	if p.Load == nil && p.Outlets == nil {
		p.Load, p.Outlets = simulator.Constant(60), []simulator.Outlet{{Load: simulator.Constant(60)}}
	}
	return &Home{T: t, Plug: Start(t, p)}
}

// NewDevice returns another client of the plug.
func (h *Home) NewDevice(change ...func(*tapo.Config)) *tapo.Device {
	h.Helper()
	guarded := func(c *tapo.Config) { c.Guard = h.Guard }
	return Device(h, h.Plug, append([]func(*tapo.Config){guarded}, change...)...)
}

// Reload gives the client other credentials, as a reload of the configuration
// does.
func (h *Home) Reload(c tapo.Credentials) {
	h.Helper()
	d := h.NewDevice(func(cfg *tapo.Config) { cfg.Credentials = c })
	d.Replace(h.Device)
	h.Device = d
}

// Read reads within the time of a probe, and checks what must be true of every
// reading.
func (h *Home) Read(d *tapo.Device) (tapo.Reading, error) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), ProbeTime)
	defer cancel()
	r, err := d.Read(ctx)
	if err != nil {
		return r, err
	}
	for i, o := range r.Outlets {
		if power, known := o.Power.Get(); known && power != 60 && i == 0 {
			h.Errorf("power %v", power)
		}
	}
	return r, nil
}

// Reason reads and returns how it ended.
func (h *Home) Reason(d *tapo.Device) tapo.Reason {
	h.Helper()
	_, err := h.Read(d)
	return ReasonOf(h, err)
}

// Probe reads once with the client. The error is nil if the reason is [OK].
func (h *Home) Probe() (tapo.Reason, *tapo.Error) {
	h.Helper()
	_, err := h.Read(h.Device)
	e, _ := errors.AsType[*tapo.Error](err)
	return ReasonOf(h, err), e
}

// Poll probes every 15 seconds and returns how often which reason came.
func (h *Home) Poll(d time.Duration) map[tapo.Reason]int {
	h.Helper()
	seen := map[tapo.Reason]int{}
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(15 * time.Second) {
		seen[h.Reason(h.Device)]++
	}
	return seen
}
