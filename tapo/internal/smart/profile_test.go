// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestProfileFollowsThePlug(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{Load: simulator.Constant(60)})
	d := plugtest.Device(t, p)
	plugtest.Read(t, d)
	p.SetModel(simulator.P105)
	plugtest.Read(t, d)
	r := plugtest.Read(t, d)
	if _, ok := r.Outlets[0].Power.Get(); ok || r.Info.Model != "P105" {
		t.Errorf("%+v", r)
	}
	p.SetModel(simulator.P110)
	plugtest.Read(t, d)
	if power := plugtest.Read(t, d).Outlets[0].Power; power != tapo.Some(60.0) {
		t.Errorf("power %+v", power)
	}
}

// TestProfileIsForgotten: what was learnt of the plug before is not told of the next,
// which is asked for all that it has at once.
func TestProfileIsForgotten(t *testing.T) {
	for _, k := range plugtest.Generations {
		for _, models := range [][2]simulator.Model{{k.Model, simulator.P105}, {simulator.P105, k.Model}, {simulator.P110Compatible, k.Model}} {
			synctest.Test(t, func(t *testing.T) {
				h := plugtest.NewHome(t, models[0])
				plugtest.Read(h, h.Device)
				if k.Model.Protocol == simulator.Passthrough && models[1].Name == k.Model.Name {
					return // nobody is talked down to that
				}
				h.Plug.SetModel(models[1])
				metered := models[1].Name != "P105"
				for range 2 {
					time.Sleep(15 * time.Second)
					r, err := h.Read(h.Device)
					if err != nil {
						t.Fatal(err)
					}
					o := r.Outlets[0]
					_, power := o.Power.Get()
					_, energy := o.EnergyMonth.Get()
					_, limit := o.PowerLimit.Get()
					if r.Info.Model != models[1].Name || power != metered || energy != metered || limit != metered {
						t.Errorf("%s by %s: %+v", models[0].Name, models[1].Name, r)
					}
				}
			})
		}
	}
}

// TestProfileOfReplacedStrip: a strip with other outlets, and a plug, at the address of a
// strip.
func TestProfileOfReplacedStrip(t *testing.T) {
	p := strip(t, simulator.P304M)
	d := plugtest.Device(t, p)
	plugtest.Read(t, d)
	p.SetModel(simulator.P306)
	if got := plugtest.Read(t, d); len(got.Outlets) != 5 {
		t.Errorf("%+v", got)
	}
	p.SetModel(simulator.P110)
	if got := plugtest.Read(t, d); len(got.Outlets) != 1 || got.Outlets[0].Power == (tapo.Optional[float64]{}) {
		t.Errorf("%+v", got)
	}
	p.SetModel(simulator.P316M)
	if got := plugtest.Read(t, d); len(got.Outlets) != 6 {
		t.Errorf("%+v", got)
	}
}
