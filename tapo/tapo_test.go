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

func TestReading(t *testing.T) {
	now := time.Date(2026, 7, 4, 12, 30, 15, 0, time.UTC)
	p := plugtest.Start(t, &simulator.Plug{
		Name: "Kühlschrank", Region: "Europe/Berlin", Load: simulator.Constant(100), Now: func() time.Time { return now },
	})
	r := plugtest.Read(t, plugtest.Device(t, p, func(c *tapo.Config) { c.Now = func() time.Time { return now } }))

	if r.Protocol != tapo.KLAP || !r.Time.Equal(now) {
		t.Errorf("protocol %s at %v", r.Protocol, r.Time)
	}
	if r.Info.Name != "Kühlschrank" || r.Info.Model != "P110" || r.Info.Firmware != simulator.P110.Firmware || len(r.Info.DeviceID) != 40 {
		t.Errorf("info %+v", r.Info)
	}
	o := r.Outlets[0]
	midnight := time.Date(2026, 7, 3, 22, 0, 0, 0, time.UTC)
	first := time.Date(2026, 6, 30, 22, 0, 0, 0, time.UTC)
	for what, got := range map[string][2]any{
		"number":       {o.Number, 1},
		"name":         {o.Name, "Kühlschrank"},
		"on":           {o.On, tapo.Some(true)},
		"power":        {o.Power, tapo.Some(100.0)},
		"energy today": {o.EnergyToday, tapo.Some(3600 * float64(int(100*now.Sub(midnight).Hours())))},
		"energy month": {o.EnergyMonth, tapo.Some(3600 * float64(int(100*now.Sub(first).Hours())))},
		"on today":     {o.OnToday, tapo.Some(now.Sub(midnight).Truncate(time.Minute))},
		"on month":     {o.OnMonth, tapo.Some(now.Sub(first).Truncate(time.Minute))},
		"limit":        {o.PowerLimit, tapo.Some(2960.0)},
		"overloaded":   {o.Overloaded, tapo.Some(false)},
		"overcurrent":  {o.Overcurrent, tapo.Some(false)},
		"charging":     {o.ChargingFinished, tapo.Some(false)},
		"overheated":   {o.Overheated, tapo.Optional[bool]{}}, // neither field on this firmware
		"RSSI":         {r.RSSI, tapo.Some(-55.0)},
		"clock":        {r.ClockOffset, tapo.Some(time.Duration(0))},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %+v, want %+v", what, got[0], got[1])
		}
	}
	if v, ok := o.Voltage.Get(); !ok || v < 220 || v > 240 {
		t.Errorf("voltage %v, %t", v, ok)
	}
	if a, ok := o.Current.Get(); !ok || a < 0.4 || a > 0.7 {
		t.Errorf("current %v, %t", a, ok)
	}
}

func TestRelay(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{Load: simulator.Constant(60)})
	d := plugtest.Device(t, p)
	p.SetRelay(false)
	o := plugtest.Read(t, d).Outlets[0]
	if o.On != tapo.Some(false) || o.Power != tapo.Some(0.0) || o.OnFor != tapo.Some(time.Duration(0)) {
		t.Errorf("off: %+v", o)
	}
	if _, ok := o.Voltage.Get(); !ok {
		t.Error("off: no voltage")
	}
	p.SetRelay(true)
	if o := plugtest.Read(t, d).Outlets[0]; o.On != tapo.Some(true) || o.Power != tapo.Some(60.0) {
		t.Errorf("on: %+v", o)
	}
}

// TestUnsetClock is a plug that has not reached a time server since a power cut.
func TestUnsetClock(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{Load: simulator.Constant(60)})
	p.SetClock(time.Until(time.Date(2000, 1, 3, 0, 0, 0, 0, time.UTC)))
	d := plugtest.Device(t, p)
	r := plugtest.Read(t, d)
	o := r.Outlets[0]
	if _, ok := o.EnergyToday.Get(); ok {
		t.Error("there is energy today")
	}
	if _, ok := o.EnergyMonth.Get(); ok {
		t.Error("there is energy of the month")
	}
	if o.Power != tapo.Some(60.0) {
		t.Errorf("power %+v", o.Power)
	}
	if offset, ok := r.ClockOffset.Get(); !ok || offset > -20*365*24*time.Hour {
		t.Errorf("offset %v, %t", offset, ok)
	}
	p.SetClock(25 * time.Hour) // within what a wrong zone can do
	r = plugtest.Read(t, d)
	if _, ok := r.Outlets[0].EnergyMonth.Get(); !ok {
		t.Error("no energy although the clock is about right")
	}
	if offset, _ := r.ClockOffset.Get(); (offset - 25*time.Hour).Abs() > 2*time.Second {
		t.Errorf("offset %v", offset)
	}
}

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
