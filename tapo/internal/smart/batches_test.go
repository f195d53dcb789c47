// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestFirstP300HangsOnBatches: P300 1.0.7 is read although it hangs on batches, by
// every read.
func TestFirstP300HangsOnBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := plugtest.NewHome(t, simulator.P300First)
		for range 3 {
			if got := h.Reason(h.Device); got != plugtest.OK {
				t.Error(got)
			}
			h.Plug.LoseSession()
		}
	})
}

// TestHangingBatches: another plug that hangs on batches is found out within the
// probe, and left alone with them for ten minutes, and then for a day.
func TestHangingBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := simulator.P110
		m.HangsOnBatches = true
		h := plugtest.NewHome(t, m)
		h.Reason(h.Device) // the first batch of all is answered
		probe := func(after time.Duration, works bool, most int) {
			t.Helper()
			time.Sleep(after)
			before := h.Plug.Stats().Requests
			if got, took := h.Reason(h.Device), h.Plug.Stats().Requests-before; (got == plugtest.OK) != works || took > most {
				t.Errorf("%s after %d requests, want %t after %d", got, took, works, most)
			}
		}
		probe(15*time.Second, false, 6) // it may be slow
		probe(15*time.Second, false, 6) // or not
		for range 30 {
			probe(15*time.Second, true, 5)
		}
		probe(10*time.Minute, false, 6) // it may have been the network
		for range 23 {
			probe(time.Hour, true, 5)
		}
	})
}

// TestFirstBatchIsLost: if the reply to the very first batch is none to a batch, another
// is tried ten minutes later.
func TestFirstBatchIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := plugtest.NewHome(t, simulator.P110)
		h.Plug.Inject(simulator.Fault{Kind: simulator.Says, Text: `{"error_code":0,"result":{}}`, Path: "request", Times: 1})
		for range 12 {
			h.Reason(h.Device)
			time.Sleep(time.Minute)
		}
		before := h.Plug.Stats().Requests
		if reason, n := h.Reason(h.Device), h.Plug.Stats().Requests-before; reason != plugtest.OK || n != 1 {
			t.Errorf("%s after %d requests", reason, n)
		}
	})
}

// TestBatchTooLarge: a plug that answers large requests with its web page is asked one by
// one. There are two such batches, and no third; the session stays.
func TestBatchTooLarge(t *testing.T) {
	for _, g := range plugtest.Generations {
		t.Run(g.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g.Model.Emeter = true
				h := plugtest.NewHome(t, g.Model)
				const largest = 230 // a single request fits
				step := g.Steps[len(g.Steps)-1]
				h.Plug.Inject(simulator.Fault{Kind: simulator.HTML, Path: step, Above: largest})
				for range 20 {
					r, err := h.Read(h.Device)
					if err != nil || !has(r.Outlets[0].EnergyMonth) {
						t.Fatalf("%+v, %v", r, err)
					}
					time.Sleep(15 * time.Second)
				}
				if s := h.Plug.Stats(); s.Logins != 1 {
					t.Errorf("%d logins", s.Logins)
				}
				before := h.Plug.Stats().Requests
				r, err := h.Read(h.Device)
				if took := h.Plug.Stats().Requests - before; err != nil || took != 3 || !has(r.Outlets[0].Voltage) || !has(r.Outlets[0].PowerLimit) {
					t.Errorf("%d requests, %+v, %v", took, r, err)
				}
			})
		})
	}
}

// TestGarbledBatches: a plug that garbles batches, and answers each method alone, is not
// sent a third one.
func TestGarbledBatches(t *testing.T) {
	for what, says := range map[string]string{"cut short": `{"error_code":0,"result":{"responses":[{"meth`, "refused": `{"error_code":-1}`, "HTTP status": ""} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := plugtest.NewHome(t, simulator.P110)
				batches := 0
				fault := simulator.Fault{Kind: simulator.Says, Text: says, Path: "/app/request", Above: 200}
				if says == "" {
					fault.Kind, fault.Status = simulator.Status, 400
				}
				fault.Rewrite = func(body []byte) []byte { batches++; return body }
				h.Plug.Inject(fault)
				for range 20 {
					if r, err := h.Read(h.Device); err != nil || !has(r.Outlets[0].EnergyMonth) {
						t.Fatalf("%+v, %v", r, err)
					}
					time.Sleep(15 * time.Second)
				}
				if logins := h.Plug.Stats().Logins; batches > 2 || batches == 0 || logins != 1 {
					t.Errorf("%d batches, %d logins", batches, logins)
				}
				h.Plug.Heal()
				time.Sleep(24 * time.Hour)
				h.Reason(h.Device)
				before := h.Plug.Stats().Requests
				h.Reason(h.Device)
				if took := h.Plug.Stats().Requests - before; took != 1 {
					t.Errorf("%d requests once batches work", took)
				}
			})
		})
	}
}

// TestOneRefusedBatch: a plug that has answered batches is sent them again ten minutes
// after it has refused one, whatever the code.
func TestOneRefusedBatch(t *testing.T) {
	for _, code := range []int{-1, -1002, -1003, -1008, 1200} {
		synctest.Test(t, func(t *testing.T) {
			h := plugtest.NewHome(t, simulator.P110)
			h.Reason(h.Device)
			h.Plug.Refuse("multipleRequest", code)
			h.Reason(h.Device)
			h.Plug.Refuse("multipleRequest", 0)
			time.Sleep(10 * time.Minute)
			h.Reason(h.Device)
			before := h.Plug.Stats().Requests
			if reason, took := h.Reason(h.Device), h.Plug.Stats().Requests-before; reason != plugtest.OK || took != 1 {
				t.Errorf("code %d: %s, %d requests", code, reason, took)
			}
		})
	}
}

// TestBatchesOfABusyPlug: a plug that answers batches as a busy one does, and single
// requests well, does not take batches. A busy plug is left alone after two requests.
func TestBatchesOfABusyPlug(t *testing.T) {
	for _, code := range []int{-1301, 1001, 1112} {
		synctest.Test(t, func(t *testing.T) {
			h := plugtest.NewHome(t, simulator.P110)
			h.Plug.Refuse("multipleRequest", code)
			for read := range 10 {
				r, err := h.Read(h.Device)
				if err != nil || !has(r.Outlets[0].EnergyMonth) {
					t.Fatalf("code %d, read %d: %v", code, read, err)
				}
				time.Sleep(15 * time.Second)
			}
			h.Plug.Inject(simulator.Fault{Kind: simulator.Says, Text: fmt.Sprintf(`{"error_code":%d}`, code), Path: "/app/request"})
			before := h.Plug.Stats().Requests
			if reason, took := h.Reason(h.Device), h.Plug.Stats().Requests-before; reason != tapo.PlugError || took > 5 {
				t.Errorf("code %d: %s after %d requests", code, reason, took)
			}
			h.Plug.Heal()
			time.Sleep(15 * time.Second)
			if reason := h.Reason(h.Device); reason != plugtest.OK {
				t.Errorf("code %d: %s", code, reason)
			}
		})
	}
}
