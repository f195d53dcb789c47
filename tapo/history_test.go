// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// remembering returns a plug and its client in simulated time, and what time it is.
func remembering(t *testing.T, m simulator.Model) (*simulator.Plug, *tapo.Device, time.Time) {
	t.Helper()
	now := time.Date(2026, 10, 28, 10, 20, 0, 0, time.UTC)
	time.Sleep(time.Until(now))
	h := plugtest.StartHome(t, &simulator.Plug{Model: m, Region: "Europe/Berlin", Latency: 25 * time.Millisecond})
	return h.Plug, h.NewDevice(), now
}

// TestNoHistory: what stands in the way is told apart.
func TestNoHistory(t *testing.T) {
	const zeros = `{"data":[0,0,0],"start_timestamp":1,"local_time":"2026-10-28 11:20:00"}`
	for name, tc := range map[string]struct {
		model  simulator.Model
		change func(*simulator.Plug)
		kind   error
		reason tapo.Reason
		text   string
	}{
		"no meter":         {simulator.P105, nil, tapo.ErrNoHistory, tapo.Unsupported, "does not measure energy"},
		"first firmware":   {simulator.P110Old, nil, tapo.ErrNoHistory, tapo.Unsupported, "get_energy_data: error_code -1002"},
		"refused":          {simulator.P110, func(p *simulator.Plug) { p.Refuse("get_energy_data", -1002) }, tapo.ErrNoHistory, tapo.Unsupported, "-1002"},
		"no statistics":    {simulator.P110, func(p *simulator.Plug) { p.Refuse("get_energy_data", -2201) }, nil, tapo.PlugError, "-2201"},
		"session refused":  {simulator.P110, func(p *simulator.Plug) { p.Refuse("get_energy_data", 9999) }, nil, tapo.SessionStolen, "9999"},
		"clock never set":  {simulator.P110, func(p *simulator.Plug) { p.SetClock(-26 * 365 * 24 * time.Hour) }, tapo.ErrNoClock, tapo.PlugError, "off"},
		"and refused":      {simulator.P110, func(p *simulator.Plug) { p.SetClock(-26 * 365 * 24 * time.Hour); p.Refuse("get_energy_data", -1001) }, tapo.ErrNoClock, tapo.PlugError, "off"},
		"clock an hour on": {simulator.P110, func(p *simulator.Plug) { p.SetClock(time.Hour) }, tapo.ErrNoClock, tapo.PlugError, "1h0m0s off"},
		"strange zone": {simulator.P110, func(p *simulator.Plug) {
			p.Answer("get_device_info", `{"device_id":"8022","type":"SMART.TAPOPLUG","region":"Moon/Base","time_diff":60,"device_on":true}`)
		}, tapo.ErrNoZone, tapo.PlugError, "Moon/Base"},
		"no zone": {simulator.P110, func(p *simulator.Plug) {
			p.Answer("get_device_info", `{"device_id":"8022","type":"SMART.TAPOPLUG","device_on":true}`)
		}, tapo.ErrNoZone, tapo.PlugError, `""`},
		"other error":  {simulator.P110, func(p *simulator.Plug) { p.Refuse("get_energy_data", -1301) }, nil, tapo.PlugError, "-1301"},
		"moved start":  {simulator.P110, func(p *simulator.Plug) { p.Answer("get_energy_data", zeros) }, nil, tapo.BadReply, "begins at"},
		"silent":       {simulator.P110, func(p *simulator.Plug) { p.Inject(simulator.Fault{Kind: simulator.Hang, Path: "/request", Skip: 1}) }, nil, tapo.Timeout, "timeout: request: "},
		"session gone": {simulator.P110, func(p *simulator.Plug) { p.Inject(simulator.Fault{Kind: simulator.LoseSession, Path: "/request"}) }, nil, tapo.SessionStolen, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, d, now := remembering(t, tc.model)
				if tc.change != nil {
					tc.change(p)
				}
				if desc, err := d.Describe(t.Context()); err == nil && (desc.Location == nil) != errors.Is(tc.kind, tapo.ErrNoZone) {
					t.Errorf("zone %v", desc.Location)
				}
				slots, err := d.EnergyHistory(t.Context(), 1, tapo.Daily, now.AddDate(0, -1, 0), now)
				failed, _ := errors.AsType[*tapo.Error](err)
				if failed == nil || failed.Reason != tc.reason || tc.kind != nil && !errors.Is(err, tc.kind) || failed.Advice == "" || !strings.Contains(err.Error(), tc.text) || len(slots) > 0 {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// TestHistoryHeals: a session that is lost half way is replaced once, and nothing
// is asked twice beyond what was lost; and requests are spaced.
func TestHistoryHeals(t *testing.T) {
	for _, k := range plugtest.Generations {
		t.Run(k.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, d, now := remembering(t, k.Model)
				p.Inject(simulator.Fault{Kind: simulator.LoseSession, Path: k.Steps[len(k.Steps)-1], Skip: 2, Times: 1})
				begin := time.Now()
				slots, err := d.EnergyHistory(t.Context(), 1, tapo.Hourly, now.AddDate(0, 0, -30), now)
				if err != nil || len(slots) < 29*24 {
					t.Errorf("%d slots, %v", len(slots), err)
				}
				if s := p.Stats(); s.Logins != 2 || s.Methods["get_energy_data"] != 4 {
					t.Errorf("%+v", s)
				}
				if took := time.Since(begin); took < 4*250*time.Millisecond {
					t.Errorf("five requests in %v", took)
				}
			})
		})
	}
}
