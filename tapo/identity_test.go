// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestPlugThatDoesNotIdentifyItself: a plug that is wanted by its MAC address is not read
// before it has reported that over the session, in whatever way it fails to. It is read as
// soon as it has.
func TestPlugThatDoesNotIdentifyItself(t *testing.T) {
	for _, result := range []string{"", `{}`, `{`, `null`, `{"device_on":true}`} {
		for _, g := range plugtest.Generations[:2] {
			synctest.Test(t, func(t *testing.T) {
				h := plugtest.NewHome(t, g.Model)
				wanted := plugtest.Read(h, h.Device).Info.MAC
				h.Device = h.NewDevice(func(c *tapo.Config) { c.MAC = wanted })
				if result == "" {
					h.Plug.Refuse("get_device_info", -1)
				}
				h.Plug.Answer("get_device_info", result)
				for range 3 {
					if reason, _ := h.Probe(); reason == plugtest.OK {
						t.Errorf("%s, %q: read", g.Name, result)
					}
					time.Sleep(15 * time.Second)
				}
				h.Plug.Refuse("get_device_info", 0)
				h.Plug.Answer("get_device_info", "")
				time.Sleep(time.Minute)
				if reason, e := h.Probe(); reason != plugtest.OK {
					t.Errorf("%s, %q, after a minute: %v", g.Name, result, e)
				}
				h.Plug.Refuse("get_device_info", -1) // over this session it is known
				if reason, e := h.Probe(); reason != plugtest.OK {
					t.Errorf("%s: %v", g.Name, e)
				}
				h.Plug.LoseSession() // over the next one, another plug may answer
				if reason, _ := h.Probe(); reason == plugtest.OK {
					t.Errorf("%s, after a loss: read", g.Name)
				}
			})
		}
	}
}

// TestAnotherPlugOfTheSameAccount is not taken for the wanted one.
func TestAnotherPlugOfTheSameAccount(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{})
	d := plugtest.Device(t, p, func(c *tapo.Config) { c.MAC = "AA-BB-CC-00-11-22" })
	for range 2 {
		plugtest.Fails(t, d, tapo.NotAPlug)
	}
}
