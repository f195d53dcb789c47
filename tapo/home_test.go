// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

const (
	ok        = tapo.Reason("ok")
	probeTime = 9500 * time.Millisecond // what Prometheus leaves of its ten seconds
)

// home is a plug and its client in a bubble of testing/synctest.
type home struct {
	*testing.T
	network *simulator.Network
	plug    *simulator.Plug
	device  *tapo.Device
}

func newHome(t *testing.T, m simulator.Model) *home {
	t.Helper()
	time.Sleep(time.Until(time.Date(2026, 7, 4, 10, 0, 0, 0, time.UTC))) // bubbles begin in 2000, where plugs are whose clock is not set
	h := &home{T: t, network: new(simulator.Network)}
	h.plug = start(t, &simulator.Plug{
		Model: m, Load: simulator.Constant(60), Outlets: []simulator.Outlet{{Load: simulator.Constant(60)}}, Network: h.network, Listen: "192.0.2.1:80", Latency: 25 * time.Millisecond,
		TPAP: simulator.TPAPOptions{Iterations: 10},
	})
	h.device = h.newDevice()
	return h
}

func (h *home) newDevice() *tapo.Device {
	h.Helper()
	return device(h, h.plug, func(c *tapo.Config) { c.DialContext = h.network.DialContext })
}

// read reads within the time of a probe, and checks what must be true of every
// reading.
func (h *home) read(d *tapo.Device) (tapo.Reading, error) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), probeTime)
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

// reason reads and returns how it ended.
func (h *home) reason(d *tapo.Device) tapo.Reason {
	h.Helper()
	_, err := h.read(d)
	return h.reasonOf(err)
}

func (h *home) reasonOf(err error) tapo.Reason {
	h.Helper()
	if err == nil {
		return ok
	}
	e, isError := errors.AsType[*tapo.Error](err)
	if !isError || e.Advice == "" || e.Address == "" {
		h.Fatalf("an error without a reason, an advice or an address: %#v", err)
	}
	return e.Reason
}
