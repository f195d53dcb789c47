// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/budget"
)

// scripted is a session with the answers given.
type scripted []string

// RoundTrip implements [transport.Session].
func (s *scripted) RoundTrip(context.Context, []byte) ([]byte, error) {
	if len(*s) == 0 {
		return nil, errors.New("nothing more to say")
	}
	answer := (*s)[0]
	*s = (*s)[1:]
	return []byte(answer), nil
}

// Lifetime implements [transport.Session].
func (*scripted) Lifetime() time.Duration { return 0 }

// newDialect returns a dialect that knows nothing.
func newDialect() *Dialect { return New(Options{Logger: slog.New(slog.DiscardHandler), Now: time.Now}) }

// TestBatchMemory: what one read has got is not told by the next, although the
// memory is used again.
func TestBatchMemory(t *testing.T) {
	d := newDialect()
	d.begin(&scripted{
		`{"error_code":0,"result":{"responses":[{"method":"get_device_info","error_code":0,"result":{"device_id":"1","device_on":true,"rssi":-55,"nickname":"QQ=="}},` +
			`{"method":"get_energy_usage","error_code":0,"result":{"today_energy":7,"current_power":60000}}]}}`,
		`{"error_code":0,"result":{"responses":[{"method":"get_energy_usage","error_code":0,"result":{"month_energy":8}},` +
			`{"method":"get_device_info","error_code":0,"result":{"device_id":"1"}}]}}`,
	}, budget.Unlimited())
	first, second := newReplies(), newReplies()
	for _, got := range []*replies{first, second} {
		if _, err := d.ask(t.Context(), &d.profile.plug, []*method{getDeviceInfo, getEnergyUsage}, got); err != nil {
			t.Fatal(err)
		}
	}
	if !first.info.RSSI.Valid || first.energy.TodayEnergy.Value != 7 || first.info.Nickname == "" {
		t.Errorf("first: %+v %+v", first.info, first.energy)
	}
	if second.info.RSSI.Valid || second.info.DeviceOn.Valid || second.info.Nickname != "" || second.energy.TodayEnergy.Valid || second.energy.MonthEnergy.Value != 8 {
		t.Errorf("second: %+v %+v", second.info, second.energy)
	}
}
