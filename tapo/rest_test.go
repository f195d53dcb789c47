// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// damaged makes all replies over a session ones that do not verify, decrypt or parse.
func damaged(g plugtest.Generation) simulator.Fault {
	return simulator.Fault{Kind: simulator.BadSignature, Path: g.Steps[len(g.Steps)-1]}
}

// TestUselessLoginsRest: where logins succeed and lead to nothing, the next one comes after
// a minute, two, four and so on up to half an hour. The session is used in that time, and
// the first good reply ends the rest.
func TestUselessLoginsRest(t *testing.T) {
	for _, g := range plugtest.Generations {
		t.Run(g.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := plugtest.NewHome(t, g.Model)
				h.Plug.Inject(damaged(g))
				var logins []int // the minutes of reads with a login
				most := 0
				for began := time.Now(); time.Since(began) < 2*time.Hour; time.Sleep(15 * time.Second) {
					before := h.Plug.Stats().Logins
					n := plugtest.Requests(h.Plug, func() {
						reason, e := h.Probe()
						rests := h.Plug.Stats().Logins == before
						if reason != tapo.BadReply || rests != strings.Contains(e.Error(), "no login before 2026-") || rests != strings.Contains(e.Advice, "The next login is at") {
							t.Fatalf("rests: %t, %v, %s", rests, e, e.Advice)
						}
					})
					switch now := h.Plug.Stats().Logins; {
					case now > before:
						logins = append(logins, int(time.Since(began)/time.Minute))
						if want := min(len(logins), 2); now-before != 3-want {
							t.Errorf("%d logins in read at %v", now-before, time.Since(began))
						}
					default:
						most = max(most, n)
					}
				}
				if want := []int{0, 1, 3, 7, 15, 31, 61, 91}; !slices.Equal(logins, want) {
					t.Errorf("logins in minutes %v, want %v", logins, want)
				}
				if most != 1 {
					t.Errorf("%d requests in reads without a login, want 1", most)
				}
				h.Plug.Heal()
				n := plugtest.Requests(h.Plug, func() {
					if reason, e := h.Probe(); reason != plugtest.OK {
						t.Errorf("cured: %v", e)
					}
				})
				if n > 2 { // a batch, and what is asked once per login
					t.Errorf("cured: %d requests", n)
				}
				h.Plug.LoseSession()
				if reason, e := h.Probe(); reason != plugtest.OK {
					t.Errorf("after a restart: %v", e)
				}
			})
		})
	}
}

// TestRestAfterAGoodRead: a session that has been of use is replaced at once. Only if the
// new one is of none does the rest begin.
func TestRestAfterAGoodRead(t *testing.T) {
	for _, g := range plugtest.Generations {
		t.Run(g.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := plugtest.NewHome(t, g.Model)
				for range 3 {
					plugtest.Read(h, h.Device)
					before := h.Plug.Stats().Logins
					fault := damaged(g)
					fault.Times = 1
					h.Plug.Inject(fault)
					if reason, e := h.Probe(); reason != plugtest.OK || h.Plug.Stats().Logins != before+1 {
						t.Errorf("one damaged reply: %v, %d logins", e, h.Plug.Stats().Logins-before)
					}
				}
				before := h.Plug.Stats().Logins
				h.Plug.Inject(damaged(g))
				if seen := h.Poll(time.Minute); seen[tapo.BadReply] != 4 {
					t.Errorf("reasons %v", seen)
				}
				if got := h.Plug.Stats().Logins - before; got != 1 {
					t.Errorf("%d logins within a minute", got)
				}
			})
		})
	}
}

// TestRestartDuringRest: a plug that has lost the session may have been restarted, which
// may have cured it. It gets a login at once, but not with each read.
func TestRestartDuringRest(t *testing.T) {
	for _, g := range plugtest.Generations {
		t.Run(g.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := plugtest.NewHome(t, g.Model)
				h.Plug.Inject(damaged(g))
				h.Poll(20 * time.Minute)
				h.Plug.Heal()
				h.Plug.LoseSession()
				if reason, e := h.Probe(); reason != plugtest.OK {
					t.Errorf("cured by a restart: %v", e)
				}

				h.Plug.Inject(damaged(g))
				h.Poll(20 * time.Minute)
				before := h.Plug.Stats()
				reads := 0
				for range 60 {
					time.Sleep(15 * time.Second)
					h.Plug.LoseSession()
					if reason, e := h.Probe(); reason != tapo.BadReply {
						t.Fatalf("read %d: %v", reads, e)
					}
					reads++
				}
				after := h.Plug.Stats()
				if got := after.Logins - before.Logins; got < 14 || got > 16 {
					t.Errorf("%d logins in 15 minutes", got)
				}
			})
		})
	}
}

// TestSettingsEndTheRest: a reload with other settings tries at once.
func TestSettingsEndTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := plugtest.NewHome(t, simulator.P110)
		h.Plug.Inject(damaged(plugtest.Generations[0]))
		h.Poll(20 * time.Minute)
		lenient := h.NewDevice(func(c *tapo.Config) { c.SkipReplyVerification = true })
		lenient.Replace(h.Device)
		if got := h.Reason(lenient); got != plugtest.OK {
			t.Errorf("without verification: %s", got)
		}
	})
}

// TestNoLoginPerRead: whatever a plug answers over its sessions for long, a login in every
// read is not the answer, and the first read after the cure succeeds within a minute.
func TestNoLoginPerRead(t *testing.T) {
	for _, g := range plugtest.Generations {
		step := g.Steps[len(g.Steps)-1]
		for _, f := range []simulator.Fault{
			{Kind: simulator.Status, Status: 401},
			{Kind: simulator.Status, Status: 403},
			{Kind: simulator.Status, Status: 404},
			{Kind: simulator.Status, Status: 500},
			{Kind: simulator.Redirect},
			{Kind: simulator.Code, Code: 9999},
			{Kind: simulator.LoseSession},
			{Kind: simulator.Garble},
			{Kind: simulator.Oversize},
			{Kind: simulator.HTML},
			{Kind: simulator.Says, Text: "{"},
			{Kind: simulator.Says, Text: "{}"},
			{Kind: simulator.BadSignature},
			{Kind: simulator.Code, Code: -1003},
		} {
			f.Path = step
			t.Run(fmt.Sprintf("%s/%d %d%s", g.Name, f.Kind, f.Status, f.Text), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					h := plugtest.NewHome(t, g.Model)
					h.Plug.Inject(f)
					before := h.Plug.Stats()
					reads := 0
					for _, n := range h.Poll(30 * time.Minute) {
						reads += n
					}
					after := h.Plug.Stats()
					if logins := after.Logins - before.Logins; logins > 32 { // one a minute, and another in the first read
						t.Errorf("%d logins in %d reads", logins, reads)
					}
					if requests := after.Requests - before.Requests; requests > 3*reads {
						t.Errorf("%d requests in %d reads", requests, reads)
					}
					h.Plug.Heal()
					h.Plug.LoseSession() // it was restarted
					if seen := h.Poll(time.Minute + 15*time.Second); seen[plugtest.OK] == 0 {
						t.Errorf("after the cure: %v", seen)
					}
				})
			})
		}
	}
}

// TestHandshake2RefusedForGood: a plug that has the account and refuses the client gets one
// login a minute, and is read within a minute after it accepts one.
func TestHandshake2RefusedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := plugtest.NewHome(t, simulator.P110)
		h.Plug.Inject(simulator.Fault{Kind: simulator.Status, Status: 403, Path: "/app/handshake2"})
		if seen := h.Poll(time.Hour); len(seen) != 1 || seen[tapo.LocalAccessRefused] == 0 {
			t.Errorf("%v", seen)
		}
		if tried := h.Plug.Stats().Steps["/app/handshake2"]; tried > 62 {
			t.Errorf("handshake2 %d times in an hour", tried)
		}
		h.Plug.Heal()
		if seen := h.Poll(time.Minute + 15*time.Second); seen[plugtest.OK] == 0 {
			t.Errorf("after the cure: %v", seen)
		}
	})
}
