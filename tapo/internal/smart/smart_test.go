// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/budget"
)

// parrot is a session that says the same things over and over.
type parrot struct {
	lines [][]byte
	asked int
}

var errTooMuch = errors.New("asked too much")

// RoundTrip implements [transport.Session].
func (p *parrot) RoundTrip(context.Context, []byte) ([]byte, error) {
	if p.asked++; p.asked > 20*maxChildren {
		return nil, errTooMuch
	}
	return p.lines[(p.asked-1)%len(p.lines)], nil
}

// Lifetime implements [transport.Session].
func (*parrot) Lifetime() time.Duration { return 0 }

// FuzzRead reads plugs that answer anything, a line for each request: a read ends
// by itself, whatever the bound on requests, and so does the next one.
func FuzzRead(f *testing.F) {
	const info = `{"method":"get_device_info","error_code":0,"result":{"device_id":"a","fw_ver":"1","type":"SMART.TAPOPLUG","mac":"AA-BB-CC-00-11-22"}}`
	const nego = `{"method":"component_nego","error_code":0,"result":{"component_list":[{"id":"child_device","ver_code":2}]}}`
	const list = `{"method":"get_child_device_list","error_code":0,"result":{"child_device_list":[{"device_id":"x","position":1}],"sum":3}}`
	const outlet = `{"error_code":0,"result":{"responseData":{"error_code":0,"result":{"responses":[{"method":"get_energy_usage","error_code":0,"result":{"today_energy":1}},{"method":"get_emeter_data","error_code":-1002}]}}}}`
	batch := func(replies string) string { return `{"error_code":0,"result":{"responses":[` + replies + `]}}` + "\n" }
	f.Add([]byte(batch(info+","+nego) + batch(list) + list + "\n" + outlet))
	f.Add([]byte(batch(info) + `{"error_code":-1003}` + "\n" + info + "\n" + nego + "\n" + list))
	f.Add([]byte(outlet + "\n" + `{"result":{"responses":[{},5,null]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newDialect()
		for range 2 {
			reading, err := d.Read(t.Context(), &parrot{lines: bytes.Split(data, []byte("\n"))}, budget.Unlimited())
			d.Ended(err)
			if errors.Is(err, errTooMuch) {
				t.Fatal("no end")
			}
			seen := map[int]bool{}
			for _, o := range reading.Outlets {
				if seen[o.Number] || o.Number < 1 {
					t.Errorf("outlet %d", o.Number)
				}
				seen[o.Number] = true
			}
		}
	})
}
