// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"strconv"
	"strings"
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

// TestPasswordIsTriedOnce: one attempt in a day, one more with other credentials.
func TestPasswordIsTriedOnce(t *testing.T) {
	atHome(t, &simulator.Plug{}, wrong, func(h *plugtest.Home) {
		seen := h.Poll(24 * time.Hour)
		if seen[tapo.BadCredentials] != 1 || seen[tapo.LoginBackoff] != 24*60*4-1 {
			h.Errorf("reasons %v", seen)
		}
		saw(h, "after a day", 1, 1)
		asked(h, "after a day", 48) // every half hour, since it may speak KLAP by then
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

// TestOnlyTheEmailMatters: with such a plug another password is no reason to
// try again.
func TestOnlyTheEmailMatters(t *testing.T) {
	o := simulator.TPAPOptions{ExtraCrypt: `{"type":"password_shadow","params":{"passwd_id":3}}`}
	atHome(t, &simulator.Plug{TPAP: o}, tapo.Credentials{Username: "other@example.com", Password: plugtest.Password}, func(h *plugtest.Home) {
		h.Poll(time.Hour)
		h.Reload(tapo.Credentials{Username: "other@example.com", Password: "other"})
		h.Poll(time.Hour)
		saw(h, "after a change of the password", 1, 1)
		h.Reload(plugtest.Credentials)
		h.Poll(time.Minute)
		saw(h, "after a change of the e-mail", 2, 1)
	})
}

// TestLocked: a plug that others have locked is asked once, and again when the
// lock is over; then it is read.
func TestLocked(t *testing.T) {
	atHome(t, &simulator.Plug{TPAP: simulator.TPAPOptions{MaxFailures: 1, LockTime: 50 * time.Minute}}, plugtest.Credentials, func(h *plugtest.Home) {
		ours := h.Guard
		h.Guard = nil
		stranger := h.NewDevice(with(wrong))
		if _, err := stranger.Read(h.Context()); err == nil {
			h.Fatal("read with a wrong password")
		}
		h.Guard = ours
		saw(h, "when it locked", 1, 1)
		asked(h, "when it locked", 1)
		if reason, _ := h.Probe(); reason != tapo.Locked {
			h.Fatalf("reason %s", reason)
		}
		h.Reload(tapo.Credentials{Username: plugtest.Username, Password: "other"})
		h.Reload(plugtest.Credentials)
		if seen := h.Poll(49 * time.Minute); seen[tapo.Locked] != 49*4 {
			h.Errorf("reasons %v", seen)
		}
		saw(h, "until the lock is over", 1, 1)
		asked(h, "until the lock is over", 2)
		if seen := h.Poll(2 * time.Minute); seen[tapo.Locked] != 4 || seen[plugtest.OK] != 4 {
			h.Errorf("reasons %v", seen)
		}
		saw(h, "after the lock", 2, 1)
		asked(h, "after the lock", 3)
	})
}

// TestLockedAtLogin: a session is lost while the plug is locked.
func TestLockedAtLogin(t *testing.T) {
	for _, step := range []string{"pake_register", "pake_share"} {
		atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
			h.Poll(time.Minute)
			h.Plug.LoseSession()
			h.Plug.Inject(simulator.Fault{Kind: simulator.Code, Code: -2101, Path: step, Times: 1})
			if seen := h.Poll(40 * time.Minute); seen[tapo.Locked] != 30*4 || seen[plugtest.OK] != 10*4 {
				h.Errorf("%s: reasons %v", step, seen)
			}
			if got := h.Plug.Stats().Steps["discover"]; got != 2 {
				h.Errorf("%s: asked %d times, want 2", step, got)
			}
		})
	}
}

// TestUnknownOutcome: a plug that swallows the proof gets three, half a minute
// apart, and no more.
func TestUnknownOutcome(t *testing.T) {
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

// TestForgottenLogin: a plug that knows of no login under way may have been
// restarted, so it is asked again, but not for ever.
func TestForgottenLogin(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Kind: simulator.LoseSession, Path: "pake_share", Times: 1})
		if reason, _ := h.Probe(); reason != tapo.BadCredentials {
			h.Errorf("reason %s", reason)
		}
		time.Sleep(30 * time.Second)
		if reason, _ := h.Probe(); reason != plugtest.OK {
			h.Errorf("half a minute later: %s", reason)
		}
	})
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Kind: simulator.Code, Code: -1501, Path: "pake_share"})
		h.Poll(6 * time.Hour)
		saw(h, "for six hours", 3, 0)
	})
}

// TestRegisterHangs: what the plug cannot have counted is tried at each probe.
func TestRegisterHangs(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Kind: simulator.Hang, Path: "pake_register", Times: 20}) // twice in the first probe, and then once, with all of the time
		if seen := h.Poll(15 * time.Minute); seen[tapo.Timeout] != 19 || seen[plugtest.OK] == 0 {
			h.Errorf("reasons %v", seen)
		}
		if s := h.Plug.Stats(); s.Logins != 1 {
			h.Errorf("%d logins", s.Logins)
		}
	})
}

// TestImpostor: something that accepts our proof and has none gets no other: each
// would let it try a password.
func TestImpostor(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Kind: simulator.BadConfirm, Path: "pake_share"})
		h.Poll(6 * time.Hour)
		if s := h.Plug.Stats(); s.Steps["pake_share"] != 1 || s.Steps["/ds"] != 0 {
			h.Errorf("steps %v", s.Steps)
		}
	})
}

// TestSessionsOverADay: logins are as many as the sessions' lifetime asks for,
// and none of them is noticed by whoever probes.
func TestSessionsOverADay(t *testing.T) {
	atHome(t, &simulator.Plug{SessionLifetime: time.Hour}, plugtest.Credentials, func(h *plugtest.Home) {
		if seen := h.Poll(24 * time.Hour); len(seen) != 1 || seen[plugtest.OK] == 0 {
			h.Errorf("reasons %v", seen)
		}
		s := h.Plug.Stats()
		if s.Logins != 25 || s.Steps["discover"] != 1 { // one every 59 minutes
			h.Errorf("%d logins, steps %v", s.Logins, s.Steps)
		}
		if reads := 24 * 60 * 4; s.Steps["/ds"] != reads {
			h.Errorf("%d requests for %d reads", s.Steps["/ds"], reads)
		}
	})
}

// TestTimeoutEndsTheSession: after a request that got no answer nobody knows
// where the plug's counter stands.
func TestTimeoutEndsTheSession(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Poll(time.Minute)
		h.Plug.Inject(simulator.Fault{Kind: simulator.Hang, Path: "/ds", Times: 1})
		if seen := h.Poll(time.Minute); len(seen) != 1 || seen[plugtest.OK] == 0 {
			h.Errorf("reasons %v", seen)
		}
		if s := h.Plug.Stats(); s.Logins != 2 || s.Steps["discover"] != 1 {
			h.Errorf("%d logins, steps %v", s.Logins, s.Steps)
		}
	})
}
