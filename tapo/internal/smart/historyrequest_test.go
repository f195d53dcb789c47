// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"bytes"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/budget"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

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
		for _, i := range []plug.Interval{plug.Hourly, plug.Daily, plug.Monthly} {
			d := newDialect()
			d.opts.Now = func() time.Time { return now }
			d.begin(&parrot{lines: bytes.Split(data, []byte("\n"))}, budget.Unlimited())
			d.profile.deviceID, d.profile.zone = "a", newZone("Europe/Berlin", plug.Optional[float64]{})
			w := energyWindow(i, from, d.profile.zone.location)
			values, until, err := d.askHistory(t.Context(), &d.profile.plug, getEnergyData, i, w)
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
