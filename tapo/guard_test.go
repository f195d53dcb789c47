// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// memoryStore is a tapo.RejectionStore that says what it holds.
type memoryStore map[string][]byte

func (m memoryStore) Load(address string) []byte { return m[address] }

func (m memoryStore) Save(address string, state []byte) {
	m[address] = state
	if state == nil {
		delete(m, address)
	}
}

// TestRestarts: what a plug has refused outlives the process.
func TestRestarts(t *testing.T) {
	atHome(t, &simulator.Plug{}, wrong, func(h *plugtest.Home) {
		store := memoryStore{}
		restart := func(c tapo.Credentials) (tapo.Reason, *tapo.Error) {
			h.Guard = tapo.NewGuard("192.0.2.1:80", store)
			h.Device = h.NewDevice(with(c))
			return h.Probe()
		}
		for range 3 { // each takes some time: what is stored is made to be slow
			_, _ = restart(wrong)
		}
		saw(h, "after three restarts", 1, 1)
		reason, e := restart(wrong)
		if reason != tapo.LoginBackoff || e.Protocol != tapo.TPAP || !strings.Contains(e.Advice, "locks itself: 14.") || !strings.Contains(e.Advice, "no part") {
			h.Errorf("%v, %s", e, e.Advice)
		}
		for _, secret := range []string{plugtest.Username, string(wrong.Password)} {
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret))} {
				if strings.Contains(string(store["192.0.2.1:80"]), form) {
					h.Errorf("%q is stored", form)
				}
			}
		}
		_, _ = restart(tapo.Credentials{Username: "other@example.com", Password: wrong.Password})
		saw(h, "another e-mail", 1, 1)
		if reason, e := restart(plugtest.Credentials); reason != plugtest.OK {
			h.Errorf("the right password: %v", e)
		}
		_, _ = restart(wrong)
		saw(h, "the wrong password again", 2, 1)
		for i := range 12 {
			_, _ = restart(wrongly(i))
		}
		saw(h, "after 12 wrong passwords more", 12, 11)
		if reason, _ := restart(plugtest.Credentials); reason != tapo.LoginBackoff {
			h.Errorf("one of the last five: %s", reason)
		}
		clear(store) // as who deletes the file
		if reason, e := restart(plugtest.Credentials); reason != plugtest.OK {
			h.Errorf("deleted: %v", e)
		}

		h.Plug.Inject(simulator.Fault{Kind: simulator.Hang, Path: "pake_share"})
		h.Plug.LoseSession()
		shares := h.Plug.Stats().Steps["pake_share"]
		for _, want := range []tapo.Reason{tapo.Timeout, tapo.LoginBackoff} {
			if reason, e := restart(plugtest.Credentials); reason != want {
				h.Errorf("%v, want %s", e, want)
			}
		}
		for range 6 {
			_, _ = restart(plugtest.Credentials)
			time.Sleep(40 * time.Second)
		}
		if got := h.Plug.Stats().Steps["pake_share"] - shares; got != 3 {
			h.Errorf("%d logins of unknown outcome", got)
		}
		store["192.0.2.1:80"] = []byte("{")
		h.Plug.Heal()
		if reason, e := restart(plugtest.Credentials); reason != plugtest.OK {
			h.Errorf("what is stored is damaged: %v", e)
		}
	})
}

// reloadWrongly tries so many wrong passwords, one after the other.
func reloadWrongly(h *plugtest.Home, n int) {
	h.Helper()
	for i := range n {
		h.Reload(wrongly(i))
		h.Poll(time.Minute)
	}
}

// TestUnknownOutcomesCount: with six attempts left, a login of unknown outcome
// may have been the one before the last five.
func TestUnknownOutcomesCount(t *testing.T) {
	atHome(t, &simulator.Plug{}, wrong, func(h *plugtest.Home) {
		reloadWrongly(h, 9)
		h.Plug.Inject(simulator.Fault{Kind: simulator.Truncate, Path: "pake_share"})
		for i := range 9 {
			h.Reload(wrongly(100 + i))
			h.Poll(10 * time.Minute)
		}
		saw(h, "with an unknown outcome", 10, 10)
	})
}

// TestUnknownOutcomeIsThePlugs: other credentials are no reason not to wait, nor
// to begin to count anew.
func TestUnknownOutcomeIsThePlugs(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Kind: simulator.Reset, Path: "pake_share"})
		began := time.Now()
		for i := range 100 {
			h.Reload(wrongly(i))
			_, _ = h.Probe()
			if h.Plug.Stats().Steps["pake_share"] == 3 && time.Since(began) < time.Minute {
				t.Fatal("three in less than a minute")
			}
			time.Sleep(5 * time.Second)
		}
		saw(h, "in all", 3, 3)
	})
}

// TestUnknownOutcomesInARow: a definite answer between them ends the row.
func TestUnknownOutcomesInARow(t *testing.T) {
	atHome(t, &simulator.Plug{}, wrong, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Kind: simulator.Reset, Path: "pake_share", Times: 2})
		h.Poll(5 * time.Minute)
		saw(h, "two unknown, one refused", 3, 3)
		h.Plug.Inject(simulator.Fault{Kind: simulator.Reset, Path: "pake_share", Times: 2})
		h.Reload(plugtest.Credentials)
		if seen := h.Poll(5 * time.Minute); seen[plugtest.OK] == 0 {
			h.Errorf("two more are not three in a row: %v", seen)
		}
	})
}

// TestAccountsShareThePlug: what a plug counts, it counts for all accounts.
func TestAccountsShareThePlug(t *testing.T) {
	atHome(t, &simulator.Plug{}, wrong, func(h *plugtest.Home) {
		first := h.Device
		for i := range 20 {
			h.Device = h.NewDevice(with(wrongly(i)))
			_, _ = h.Probe()
		}
		saw(h, "twenty accounts", 10, 10)
		h.Device = first
		if reason, e := h.Probe(); reason != tapo.LoginBackoff || !strings.Contains(e.Error(), "5 attempts left") {
			h.Errorf("the first account: %v", e)
		}
	})
}

// TestToAndFro: a password that was refused before another one is still refused.
func TestToAndFro(t *testing.T) {
	atHome(t, &simulator.Plug{}, wrong, func(h *plugtest.Home) {
		for range 5 {
			h.Reload(tapo.Credentials{Username: plugtest.Username, Password: "wrong, too"})
			h.Poll(time.Minute)
			h.Reload(wrong)
			h.Poll(time.Minute)
		}
		saw(h, "two wrong passwords in turn", 2, 2)
	})
}

// TestChangedPlug: when a login is refused in a way that is not on record, the
// plug is asked again how it wants it.
func TestChangedPlug(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Poll(time.Minute)
		h.Plug.SetCompatibility(true)
		h.Plug.Inject(simulator.Fault{Kind: simulator.Code, Code: -1002, Path: "pake_register"})
		if seen := h.Poll(time.Minute); seen[plugtest.OK] != 4 {
			h.Errorf("reasons %v", seen)
		}
	})
}

// TestKLAPIsAWayOut: what a plug has refused over TPAP is no reason not to use
// KLAP, with which a plug counts nothing.
func TestKLAPIsAWayOut(t *testing.T) {
	atHome(t, &simulator.Plug{}, wrong, func(h *plugtest.Home) {
		reloadWrongly(h, 12)
		h.Reload(plugtest.Credentials)
		h.Poll(time.Hour)
		saw(h, "before", 10, 10)
		h.Plug.SetCompatibility(true)
		if seen := h.Poll(time.Hour); seen[tapo.LoginBackoff] > 30*4 || seen[plugtest.OK] < 30*4 {
			h.Errorf("reasons %v", seen)
		}
		saw(h, "after", 10, 10)
	})
}

// tpapPlug returns a TPAP plug that is quick to log in to.
func tpapPlug() *simulator.Plug {
	return &simulator.Plug{Model: simulator.P110TPAP, TPAP: simulator.TPAPOptions{Iterations: 10}}
}

// TestPinnedToKLAP: such a target does not wait for what TPAP waits for.
func TestPinnedToKLAP(t *testing.T) {
	p := plugtest.Start(t, tpapPlug())
	g := tapo.NewGuard("", nil)
	plugtest.Fails(t, plugtest.Device(t, p, func(c *tapo.Config) { c.Guard, c.Credentials = g, wrong }), tapo.BadCredentials)
	pinned := plugtest.Device(t, p, func(c *tapo.Config) { c.Guard, c.Credentials, c.Protocol = g, wrong, tapo.KLAP })
	plugtest.Fails(t, pinned, tapo.Unsupported)
	p.SetCredentials(plugtest.Username, string(wrong.Password))
	p.SetCompatibility(true)
	plugtest.Read(t, pinned)
}

// TestBarredByAnother: a device that has been reading learns that the plug is
// barred, because of another account, and that it speaks KLAP by now.
func TestBarredByAnother(t *testing.T) {
	p := plugtest.Start(t, tpapPlug())
	g := tapo.NewGuard("", nil)
	ours := plugtest.Device(t, p, func(c *tapo.Config) { c.Guard = g })
	plugtest.Read(t, ours)
	for i := range 11 {
		_, _ = plugtest.Device(t, p, func(c *tapo.Config) { c.Guard, c.Credentials = g, wrongly(i) }).Read(t.Context())
	}
	if r := plugtest.Read(t, ours); r.Protocol != tapo.TPAP { // the session stands
		t.Errorf("read over %s", r.Protocol)
	}
	p.SetCompatibility(true)
	if r := plugtest.Read(t, ours); r.Protocol != tapo.KLAP {
		t.Errorf("read over %s", r.Protocol)
	}
}

// TestOneProofPerRead: an answer that is not on record is no reason to send
// another proof at once.
func TestOneProofPerRead(t *testing.T) {
	p := plugtest.Start(t, tpapPlug())
	d := plugtest.Device(t, p)
	plugtest.Read(t, d)
	p.LoseSession()
	p.Inject(simulator.Fault{Kind: simulator.Code, Code: -1008, Path: "pake_share"})
	plugtest.Fails(t, d, tapo.PlugError)
	if got := p.Stats().Steps["pake_share"]; got != 2 {
		t.Errorf("%d proofs, want 2", got)
	}
}

// TestSetUpPasscodeRefused: no account has been tried with it.
func TestSetUpPasscodeRefused(t *testing.T) {
	g := tapo.NewGuard("", nil)
	unbound := plugtest.Start(t, &simulator.Plug{Model: simulator.P110TPAP, TPAP: simulator.TPAPOptions{Pake: []int{0}}})
	unbound.Inject(simulator.Fault{Kind: simulator.Code, Code: -2203, Path: "pake_share"})
	plugtest.Fails(t, plugtest.Device(t, unbound, func(c *tapo.Config) { c.Guard, c.Credentials = g, tapo.Credentials{} }), tapo.BadCredentials)
	plugtest.Read(t, plugtest.Device(t, plugtest.Start(t, tpapPlug()), func(c *tapo.Config) { c.Guard = g }))
}

// TestClockWasWrong: what is stored cannot keep a plug waiting for years.
func TestClockWasWrong(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Guard = tapo.NewGuard("a", memoryStore{"a": []byte(`{"next":"2099-01-01T00:00:00Z","cause":{"reason":"locked","text":"x","advice":"y"}}`)})
		h.Device = h.NewDevice(with(plugtest.Credentials))
		if seen := h.Poll(25 * time.Hour); seen[tapo.Locked] != 24*60*4 || seen[plugtest.OK] != 60*4 {
			h.Errorf("reasons %v", seen)
		}
	})
}

// TestLockedByAnImpostor: who answers each proof with a short lock gets three.
func TestLockedByAnImpostor(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Path: "pake_share", Rewrite: func([]byte) []byte {
			return []byte(`{"error_code":-2101,"data":{"sec_left":1}}`)
		}})
		h.Poll(12 * time.Hour)
		if got := h.Plug.Stats().Steps["pake_share"]; got != 3 {
			h.Errorf("%d proofs", got)
		}
	})
}

// TestManyAtATime: devices of one plug log in one after the other.
func TestManyAtATime(t *testing.T) {
	p := plugtest.Start(t, tpapPlug())
	g := tapo.NewGuard("", nil)
	var group sync.WaitGroup
	for i := range 30 {
		d := plugtest.Device(t, p, func(c *tapo.Config) {
			c.Guard, c.Credentials = g, wrongly(i)
		})
		group.Go(func() { _, _ = d.Read(t.Context()) })
	}
	group.Wait()
	if got := p.Stats().LoginFailures; got != 10 {
		t.Errorf("%d failures, want 10", got)
	}
}

// TestLockedWhileReading: the data channel may say so, too.
func TestLockedWhileReading(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Poll(time.Minute)
		h.Plug.Inject(simulator.Fault{Kind: simulator.Code, Code: -2101, Path: "/ds", Times: 1})
		if seen := h.Poll(40 * time.Minute); seen[tapo.Locked] != 30*4 || seen[plugtest.OK] != 10*4 {
			h.Errorf("reasons %v", seen)
		}
		saw(h, "in all", 2, 0)
	})
}

// TestForgedLock: anybody can say that a plug is locked, so nobody is believed
// for long.
func TestForgedLock(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Path: "discover", Times: 1, Rewrite: func([]byte) []byte {
			return []byte(`{"error_code":-2101,"error_info":{"lockedMinute":1e9}}`)
		}})
		if seen := h.Poll(25 * time.Hour); seen[tapo.Locked] != 24*60*4 || seen[plugtest.OK] != 60*4 {
			h.Errorf("reasons %v", seen)
		}
	})
}

// TestTooManyRequests: a plug that wants a pause keeps the session.
func TestTooManyRequests(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Poll(time.Minute)
		h.Plug.Inject(simulator.Fault{Kind: simulator.Status, Status: 429, Path: "/ds", Times: 40})
		h.Poll(20 * time.Minute)
		saw(h, "in all", 1, 0)
	})
}

// TestDamagedStore: whatever is stored, the guard works.
func TestDamagedStore(t *testing.T) {
	for _, state := range []string{
		``, `{`, `[]`, `null`, `{"next":"2099-01-01T00:00:00Z"}`, `{"unknown_outcomes":7}`, `{"attempts_left":0}`, `{"refused":[null]}`, `{"refused":[{}]}`,
		`{"refused":[{"salt":"AA==","password":"AA=="}]}`,
	} {
		g := tapo.NewGuard("a", memoryStore{"a": []byte(state)})
		p := plugtest.Start(t, tpapPlug())
		plugtest.Read(t, plugtest.Device(t, p, func(c *tapo.Config) { c.Guard = g }))
	}
}

func TestGuardIsIdle(t *testing.T) {
	p := plugtest.Start(t, tpapPlug())
	store := memoryStore{}
	g := tapo.NewGuard("a", store)
	d := plugtest.Device(t, p, func(c *tapo.Config) { c.Guard = g })
	plugtest.Read(t, d)
	if !g.Idle() || len(store) != 0 {
		t.Errorf("after a login that succeeded: %s", store)
	}
	p.Inject(simulator.Fault{Kind: simulator.Reset, Path: "pake_share", Times: 1})
	p.LoseSession()
	plugtest.Fails(t, d, tapo.Unreachable)
	if g.Idle() || len(store) != 1 {
		t.Errorf("after one of unknown outcome: %s", store)
	}
}
