// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"
)

// parrot is a conversation that says the same things over and over.
type parrot struct {
	lines [][]byte
	asked int
}

var errTooMuch = errors.New("asked too much")

// RoundTrip implements conversation.
func (p *parrot) RoundTrip(context.Context, []byte) ([]byte, error) {
	if p.asked++; p.asked > 20*maxChildren {
		return nil, errTooMuch
	}
	return p.lines[(p.asked-1)%len(p.lines)], nil
}

// Lifetime implements conversation.
func (*parrot) Lifetime() time.Duration { return 0 }

// FuzzRead reads plugs that answer anything, a line for each request: a read ends
// by itself, whatever the bound on requests, and so does the next one.
func FuzzRead(f *testing.F) {
	const info = `{"method":"get_device_info","error_code":0,"result":{"device_id":"a","fw_ver":"1","type":"SMART.TAPOPLUG","mac":"AA-BB-CC-00-11-22"}}`
	const nego = `{"method":"component_nego","error_code":0,"result":{"component_list":[{"id":"child_device","ver_code":2}]}}`
	const list = `{"method":"get_child_device_list","error_code":0,"result":{"child_device_list":[{"device_id":"x","position":1}],"sum":3}}`
	const socket = `{"error_code":0,"result":{"responseData":{"error_code":0,"result":{"responses":[{"method":"get_energy_usage","error_code":0,"result":{"today_energy":1}},{"method":"get_emeter_data","error_code":-1002}]}}}}`
	batch := func(replies string) string { return `{"error_code":0,"result":{"responses":[` + replies + `]}}` + "\n" }
	f.Add([]byte(batch(info+","+nego) + batch(list) + list + "\n" + socket))
	f.Add([]byte(batch(info) + `{"error_code":-1003}` + "\n" + info + "\n" + nego + "\n" + list))
	f.Add([]byte(socket + "\n" + `{"result":{"responses":[{},5,null]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := New(Config{Address: "192.0.2.1"})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			d.session = &session{conversation: &parrot{lines: bytes.Split(data, []byte("\n"))}, protocol: KLAP}
			d.learnt.begin()
			reading, err := d.read(t.Context())
			if errors.Is(err, errTooMuch) {
				t.Fatal("no end")
			}
			seen := map[int]bool{}
			for _, o := range reading.Outlets {
				if seen[o.Number] || o.Number < 1 {
					t.Errorf("socket %d", o.Number)
				}
				seen[o.Number] = true
			}
		}
	})
}

// FuzzHistory: whatever a plug answers, slots are in order, within what was asked
// for and without impossible values.
func FuzzHistory(f *testing.F) {
	f.Add([]byte(`{"error_code":0,"result":{"local_time":"2026-10-26 12:00:00","data":[1,2,-1,null,"7",1e99],"start_timestamp":1792706400}}`))
	f.Add([]byte(`{"error_code":0,"result":{"data":{}}}` + "\n" + `{"result":{"local_time":"2000-01-01 00:00:00"}}`))
	f.Add([]byte(`{"error_code":-1002}` + "\n" + `{"result":{"local_time":"2026-10-26 12:30:00"}}`))
	f.Add([]byte(`{"error_code":0,"result":{"responseData":{"error_code":-1001,"result":{"data":[5]}}}}`))
	now := time.Date(2026, 10, 26, 12, 0, 0, 0, time.UTC)
	from := now.AddDate(0, 0, -4)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, i := range []Interval{Hourly, Daily, Monthly} {
			d, err := New(Config{Address: "192.0.2.1", Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			d.session = &session{conversation: &parrot{lines: bytes.Split(data, []byte("\n"))}, protocol: KLAP}
			d.learnt.deviceID, d.learnt.zone = "a", newZone("Europe/Berlin", Optional[float64]{})
			w := energyWindow(i, from, d.learnt.zone.location)
			values, until, err := d.askHistory(t.Context(), &d.learnt.plug, getEnergyData, i, w)
			if err != nil {
				continue
			}
			last := from
			for n, s := range w.file(values, from, now, until) {
				if n > 0 && s.start.Before(last) || !s.end.After(s.start) || s.end.After(now) || s.value < 0 {
					t.Errorf("slot %d: %+v", n, s)
				}
				last = s.end
			}
		}
	})
}
