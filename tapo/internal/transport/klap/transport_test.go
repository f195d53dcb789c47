// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package klap_test

import (
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestHandshake2Refused(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{})
	p.Inject(simulator.Fault{Kind: simulator.Status, Status: 403, Path: "/app/handshake2"})
	d := plugtest.Device(t, p)
	plugtest.Fails(t, d, tapo.LocalAccessRefused)
	p.Heal()
	d = plugtest.Device(t, p)
	p.Inject(simulator.Fault{Kind: simulator.Status, Status: 400, Path: "/app/handshake2"})
	plugtest.Fails(t, d, tapo.SessionStolen) // perhaps another client's handshake came between
}

func TestUnsignedReplies(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{})
	p.Inject(simulator.Fault{Kind: simulator.BadSignature})
	plugtest.Read(t, plugtest.Device(t, p, func(c *tapo.Config) { c.SkipReplyVerification = true }))
}
