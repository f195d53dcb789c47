// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"errors"
	"testing"
	"time"
)

// said is a conversation with the answers given.
type said []string

// RoundTrip implements conversation.
func (s *said) RoundTrip(context.Context, []byte) ([]byte, error) {
	if len(*s) == 0 {
		return nil, errors.New("nothing more to say")
	}
	answer := (*s)[0]
	*s = (*s)[1:]
	return []byte(answer), nil
}

// Lifetime implements conversation.
func (*said) Lifetime() time.Duration { return 0 }

// TestBatchMemory: what one read has got is not told by the next, although the
// memory is used again.
func TestBatchMemory(t *testing.T) {
	d, err := New(Config{Address: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	d.session = &session{conversation: &said{
		`{"error_code":0,"result":{"responses":[{"method":"get_device_info","error_code":0,"result":{"device_id":"1","device_on":true,"rssi":-55,"nickname":"QQ=="}},` +
			`{"method":"get_energy_usage","error_code":0,"result":{"today_energy":7,"current_power":60000}}]}}`,
		`{"error_code":0,"result":{"responses":[{"method":"get_energy_usage","error_code":0,"result":{"month_energy":8}},` +
			`{"method":"get_device_info","error_code":0,"result":{"device_id":"1"}}]}}`,
	}}
	var first, second replies
	for _, got := range []*replies{&first, &second} {
		if err := d.ask(t.Context(), &d.learnt.plug, []method{getDeviceInfo, getEnergyUsage}, got); err != nil {
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

// TestRestEnds only by what began after it.
func TestRestEnds(t *testing.T) {
	now := time.Now()
	g := NewGuard("192.0.2.1:80", nil)
	g.rest.extend(now)
	g.rest.end(now.Add(-time.Second)) // a read that was under way
	if g.rest.check(now) == nil || g.Idle() {
		t.Error("ended by a read that began before it")
	}
	g.rest.end(now.Add(time.Second))
	if g.rest.check(now) != nil || !g.Idle() {
		t.Error("not ended by a read that began after it")
	}
}
