// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// The tests below poll simulated plugs for hours, of simulated time, and count
// what the plug saw. A plug counts logins with a wrong password and locks its
// owner out, so each number is exact.

// atHome runs a test in simulated time, with a TPAP plug that the test prepares, a
// guard and a client.
func atHome(t *testing.T, p *simulator.Plug, c tapo.Credentials, test func(h *plugtest.Home)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p.Model = simulator.P110TPAP
		h := plugtest.StartHome(t, p)
		h.Guard = tapo.NewGuard("", nil)
		h.Device = h.NewDevice(with(c))
		test(h)
	})
}

// with configures credentials.
func with(c tapo.Credentials) func(*tapo.Config) {
	return func(cfg *tapo.Config) { cfg.Credentials = c }
}

// saw checks what reached the plug.
func saw(h *plugtest.Home, when string, shares, failures int) {
	h.Helper()
	s := h.Plug.Stats()
	if s.Steps["pake_share"] != shares || s.LoginFailures != failures {
		h.Errorf("%s: the plug saw %v, %d failures; want %d shares, %d failures", when, s.Steps, s.LoginFailures, shares, failures)
	}
}

// asked checks how often the plug was asked what it speaks, which is no attempt.
func asked(h *plugtest.Home, when string, want int) {
	h.Helper()
	if got := h.Plug.Stats().Steps["discover"]; got != want {
		h.Errorf("%s: asked %d times, want %d", when, got, want)
	}
}

var wrong = tapo.Credentials{Username: plugtest.Username, Password: "wrong"}

// wrongly returns other wrong credentials for each number.
func wrongly(i int) tapo.Credentials {
	return tapo.Credentials{Username: plugtest.Username, Password: tapo.Secret("wrong-" + strconv.Itoa(i))}
}

// tpapPlug returns a TPAP plug that is quick to log in to.
func tpapPlug() *simulator.Plug {
	return &simulator.Plug{Model: simulator.P110TPAP, TPAP: simulator.TPAPOptions{Iterations: 10}}
}

// reloadWrongly tries so many wrong passwords, one after the other.
func reloadWrongly(h *plugtest.Home, n int) {
	h.Helper()
	for i := range n {
		h.Reload(wrongly(i))
		h.Poll(time.Minute)
	}
}

// memoryStore is a tapo.RejectionStore that says what it holds.
type memoryStore map[string][]byte

func (m memoryStore) Load(address string) []byte { return m[address] }

func (m memoryStore) Save(address string, state []byte) {
	m[address] = state
	if state == nil {
		delete(m, address)
	}
}

func (memoryStore) Sync(context.Context) error { return nil }

// TestPasswordIsTriedOnce: one attempt in a day, one more with other credentials.
func TestPasswordIsTriedOnce(t *testing.T) {
	t.Parallel()
	atHome(t, &simulator.Plug{}, wrong, func(h *plugtest.Home) {
		seen := h.Poll(24 * time.Hour)
		if seen[tapo.BadCredentials] != 1 || seen[tapo.LoginBackoff] != 24*60*4-1 {
			h.Errorf("reasons %v", seen)
		}
		saw(h, "after a day", 1, 1)
		asked(h, "after a day", 24*60*4) // by each probe: another plug may be there, or the same one may speak KLAP by then
		if _, e := h.Probe(); !strings.Contains(e.Advice, "locks itself: 14.") || !strings.Contains(e.Advice, "no part") {
			h.Errorf("advice: %s", e.Advice)
		}
		h.Reload(wrong)
		h.Poll(time.Hour)
		saw(h, "after a reload that changed nothing", 1, 1)
		h.Reload(tapo.Credentials{Username: "another@example.com", Password: wrong.Password})
		h.Poll(time.Hour)
		saw(h, "after a change of the e-mail, which plays no part", 1, 1)
		h.Reload(plugtest.Credentials)
		if reason, e := h.Probe(); reason != plugtest.OK {
			h.Errorf("with the right password: %v", e)
		}
		saw(h, "with the right password", 2, 1)
	})
}

// TestLastAttempts: of 15 attempts that the plug allows, five remain, whatever
// is tried.
func TestLastAttempts(t *testing.T) {
	atHome(t, &simulator.Plug{}, wrong, func(h *plugtest.Home) {
		for i := range 30 {
			h.Reload(wrongly(i))
			h.Poll(10 * time.Minute)
		}
		saw(h, "after 30 wrong passwords", 10, 10)
		h.Reload(plugtest.Credentials)
		reason, e := h.Probe()
		if reason != tapo.LoginBackoff || !strings.Contains(e.Error(), "5 attempts left") || !strings.Contains(e.Advice, "Never locked out") {
			h.Errorf("with the right password: %v, %s", e, e.Advice)
		}
		saw(h, "with the right password", 10, 10)
		h.Guard = nil // as after a restart that remembers nothing
		h.Device = h.NewDevice(with(plugtest.Credentials))
		if reason, e := h.Probe(); reason != plugtest.OK {
			h.Errorf("after a restart: %v", e)
		}
	})
}

// TestPasswordTakesNoPart: a plug that asks for such a login gets none, in a day, and is
// read as soon as it asks for another.
func TestPasswordTakesNoPart(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]simulator.TPAPOptions{
		"the account is out of date": {ExtraCrypt: `{"type":"password_shadow","params":{"passwd_id":3}}`},
		"no account":                 {Pake: []int{0}},
	} {
		for _, c := range []tapo.Credentials{plugtest.Credentials, {Username: plugtest.Username}, {}} {
			atHome(t, &simulator.Plug{TPAP: o}, c, func(h *plugtest.Home) {
				seen := h.Poll(24 * time.Hour)
				if seen[tapo.BadCredentials] == 0 || seen[tapo.BadCredentials]+seen[tapo.LoginBackoff] != 24*60*4 {
					h.Errorf("%s: reasons %v", name, seen)
				}
				saw(h, name, 0, 0)
				if _, e := h.Probe(); !strings.Contains(e.Advice, "Tapo app") {
					h.Errorf("%s: advice %q", name, e.Advice)
				}
			})
		}
	}
}

// TestRefusedPasswordsInTurn: a password that was refused before another one is still refused.
func TestRefusedPasswordsInTurn(t *testing.T) {
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

// TestDevicesLogInOneByOne: devices of one plug log in one after the other.
func TestDevicesLogInOneByOne(t *testing.T) {
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

// TestUnknownOutcome: a plug that swallows the proof gets three, half a minute
// apart, and no more.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Kind: simulator.Hang, Path: "pake_share"})
		seen := h.Poll(6 * time.Hour)
		if seen[tapo.Timeout] != 3 || seen[tapo.LoginBackoff] == 0 || len(seen) != 2 {
			h.Errorf("reasons %v", seen)
		}
		saw(h, "after hours", 3, 0)
		h.Plug.Heal()
		h.Poll(time.Hour)
		saw(h, "when the plug is well again", 3, 0)
		if _, e := h.Probe(); !strings.Contains(e.Advice, "Never locked out") {
			h.Errorf("advice: %s", e.Advice)
		}
	})
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Kind: simulator.Hang, Path: "pake_share", Times: 2})
		began := time.Now()
		for {
			if reason, _ := h.Probe(); reason == plugtest.OK {
				break
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took < 79*time.Second || took > 89*time.Second { // 2 x (9.5 s of waiting + 30 s)
			h.Errorf("read after %v", took)
		}
		h.Plug.LoseSession()
		h.Plug.Inject(simulator.Fault{Kind: simulator.Hang, Path: "pake_share", Times: 2})
		if seen := h.Poll(5 * time.Minute); seen[plugtest.OK] == 0 {
			h.Errorf("two more are three in a row only without a success between: %v", seen)
		}
	})
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
	t.Parallel()
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

// TestGuardOutlivesTheProcess: what a plug has refused outlives the process.
func TestGuardOutlivesTheProcess(t *testing.T) {
	t.Parallel()
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
		clear(store) // as if the file was deleted
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

// TestStoredLockIsBounded: what is stored cannot keep a plug waiting for years.
func TestStoredLockIsBounded(t *testing.T) {
	t.Parallel()
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Guard = tapo.NewGuard("a", memoryStore{"a": []byte(`{"next":"2099-01-01T00:00:00Z","cause":{"reason":"locked","text":"x","advice":"y"}}`)})
		h.Device = h.NewDevice(with(plugtest.Credentials))
		if seen := h.Poll(25 * time.Hour); seen[tapo.Locked] != 24*60*4 || seen[plugtest.OK] != 60*4 {
			h.Errorf("reasons %v", seen)
		}
	})
}

func TestGuardIsIdle(t *testing.T) {
	p := plugtest.Start(t, tpapPlug())
	store := memoryStore{}
	g := tapo.NewGuard("a", store)
	d := plugtest.Device(t, p, func(c *tapo.Config) { c.Guard = g })
	plugtest.Read(t, d)
	if !g.Idle() || string(store["a"]) != `{"newer":true}` {
		t.Errorf("after a login that succeeded: %s", store)
	}
	p.Inject(simulator.Fault{Kind: simulator.Reset, Path: "pake_share", Times: 1})
	p.LoseSession()
	plugtest.Fails(t, d, tapo.Unreachable)
	if g.Idle() || !strings.Contains(string(store["a"]), `"unclear"`) {
		t.Errorf("after one of unknown outcome: %s", store)
	}
}
