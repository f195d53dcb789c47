// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// The tests below poll simulated plugs for hours, of simulated time, and count
// what the plug saw. A plug counts logins with a wrong password and locks its
// owner out, so each number is exact.

// household is a plug and its client in a bubble.
type household struct {
	*testing.T
	plug    *simulator.Plug
	network *simulator.Network
	guard   *tapo.Guard
	device  *tapo.Device
}

// inBubble runs a test in simulated time, with a plug that it may prepare.
func inBubble(t *testing.T, p *simulator.Plug, c tapo.Credentials, test func(h *household)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &household{T: t, plug: p, network: new(simulator.Network), guard: tapo.NewGuard("", nil)}
		p.Model, p.Network, p.Listen = simulator.P110TPAP, h.network, "192.0.2.1:80"
		p.TPAP.Iterations = 10
		start(t, p)
		h.device = h.newDevice(c)
		test(h)
	})
}

func (h *household) newDevice(c tapo.Credentials) *tapo.Device {
	h.Helper()
	d, err := tapo.New(tapo.Config{Address: "192.0.2.1", Credentials: c, DialContext: h.network.DialContext, Guard: h.guard})
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(d.Close)
	return d
}

// reload gives the device other credentials, as a reload of the configuration
// does.
func (h *household) reload(c tapo.Credentials) {
	h.Helper()
	d := h.newDevice(c)
	d.Replace(h.device)
	h.device = d
}

// probe reads once, within the time that a scrape has.
func (h *household) probe() (tapo.Reason, *tapo.Error) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), 10*time.Second)
	defer cancel()
	_, err := h.device.Read(ctx)
	if err == nil {
		return "", nil
	}
	e, ok := errors.AsType[*tapo.Error](err)
	if !ok {
		h.Fatal(err)
	}
	return e.Reason, e
}

// poll probes every 15 seconds and returns how often which reason came.
func (h *household) poll(d time.Duration) map[tapo.Reason]int {
	h.Helper()
	seen := map[tapo.Reason]int{}
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(15 * time.Second) {
		reason, _ := h.probe()
		seen[reason]++
	}
	return seen
}

// saw checks what reached the plug.
func (h *household) saw(when string, shares, failures int) {
	h.Helper()
	s := h.plug.Stats()
	if s.Steps["pake_share"] != shares || s.LoginFailures != failures {
		h.Errorf("%s: the plug saw %v, %d failures; want %d shares, %d failures", when, s.Steps, s.LoginFailures, shares, failures)
	}
}

// asked checks how often the plug was asked what it speaks, which is no attempt.
func (h *household) asked(when string, want int) {
	h.Helper()
	if got := h.plug.Stats().Steps["discover"]; got != want {
		h.Errorf("%s: asked %d times, want %d", when, got, want)
	}
}

var wrong = tapo.Credentials{Username: username, Password: "wrong"}

// wrongly returns other wrong credentials for each number.
func wrongly(i int) tapo.Credentials {
	return tapo.Credentials{Username: username, Password: tapo.Secret("wrong-" + strconv.Itoa(i))}
}

// TestPasswordIsTriedOnce: one attempt in a day, one more with other credentials.
func TestPasswordIsTriedOnce(t *testing.T) {
	inBubble(t, &simulator.Plug{}, wrong, func(h *household) {
		seen := h.poll(24 * time.Hour)
		if seen[tapo.BadCredentials] != 1 || seen[tapo.LoginBackoff] != 24*60*4-1 {
			h.Errorf("reasons %v", seen)
		}
		h.saw("after a day", 1, 1)
		h.asked("after a day", 48) // every half hour, since it may speak KLAP by then
		if _, e := h.probe(); !strings.Contains(e.Advice, "locks itself: 14.") || !strings.Contains(e.Advice, "no part") {
			h.Errorf("advice: %s", e.Advice)
		}
		h.reload(wrong)
		h.poll(time.Hour)
		h.saw("after a reload that changed nothing", 1, 1)
		h.reload(tapo.Credentials{Username: "another@example.com", Password: wrong.Password})
		h.poll(time.Hour)
		h.saw("after a change of the e-mail, which plays no part", 1, 1)
		h.reload(credentials)
		if reason, e := h.probe(); reason != "" {
			h.Errorf("with the right password: %v", e)
		}
		h.saw("with the right password", 2, 1)
	})
}

// TestLastAttempts: of 15 attempts that the plug allows, five remain, whatever
// is tried.
func TestLastAttempts(t *testing.T) {
	inBubble(t, &simulator.Plug{}, wrong, func(h *household) {
		for i := range 30 {
			h.reload(wrongly(i))
			h.poll(10 * time.Minute)
		}
		h.saw("after 30 wrong passwords", 10, 10)
		h.reload(credentials)
		reason, e := h.probe()
		if reason != tapo.LoginBackoff || !strings.Contains(e.Error(), "5 attempts left") || !strings.Contains(e.Advice, "Never locked out") {
			h.Errorf("with the right password: %v, %s", e, e.Advice)
		}
		h.saw("with the right password", 10, 10)
		h.guard = nil // as after a restart that remembers nothing
		h.device = h.newDevice(credentials)
		if reason, e := h.probe(); reason != "" {
			h.Errorf("after a restart: %v", e)
		}
	})
}

// TestOnlyTheEmailMatters: with such a plug another password is no reason to
// try again.
func TestOnlyTheEmailMatters(t *testing.T) {
	o := simulator.TPAPOptions{ExtraCrypt: `{"type":"password_shadow","params":{"passwd_id":3}}`}
	inBubble(t, &simulator.Plug{TPAP: o}, tapo.Credentials{Username: "other@example.com", Password: password}, func(h *household) {
		h.poll(time.Hour)
		h.reload(tapo.Credentials{Username: "other@example.com", Password: "other"})
		h.poll(time.Hour)
		h.saw("after a change of the password", 1, 1)
		h.reload(credentials)
		h.poll(time.Minute)
		h.saw("after a change of the e-mail", 2, 1)
	})
}

// TestLocked: a plug that others have locked is asked once, and again when the
// lock is over; then it is read.
func TestLocked(t *testing.T) {
	inBubble(t, &simulator.Plug{TPAP: simulator.TPAPOptions{MaxFailures: 1, LockTime: 50 * time.Minute}}, credentials, func(h *household) {
		ours := h.guard
		h.guard = nil
		stranger := h.newDevice(wrong)
		if _, err := stranger.Read(h.Context()); err == nil {
			h.Fatal("read with a wrong password")
		}
		h.guard = ours
		h.saw("when it locked", 1, 1)
		h.asked("when it locked", 1)
		if reason, _ := h.probe(); reason != tapo.Locked {
			h.Fatalf("reason %s", reason)
		}
		h.reload(tapo.Credentials{Username: username, Password: "other"})
		h.reload(credentials)
		if seen := h.poll(49 * time.Minute); seen[tapo.Locked] != 49*4 {
			h.Errorf("reasons %v", seen)
		}
		h.saw("until the lock is over", 1, 1)
		h.asked("until the lock is over", 2)
		if seen := h.poll(2 * time.Minute); seen[tapo.Locked] != 4 || seen[""] != 4 {
			h.Errorf("reasons %v", seen)
		}
		h.saw("after the lock", 2, 1)
		h.asked("after the lock", 3)
	})
}

// TestLockedAtLogin: a session is lost while the plug is locked.
func TestLockedAtLogin(t *testing.T) {
	for _, step := range []string{"pake_register", "pake_share"} {
		inBubble(t, &simulator.Plug{}, credentials, func(h *household) {
			h.poll(time.Minute)
			h.plug.LoseSession()
			h.plug.Inject(simulator.Fault{Kind: simulator.Code, Code: -2101, Path: step, Times: 1})
			if seen := h.poll(40 * time.Minute); seen[tapo.Locked] != 30*4 || seen[""] != 10*4 {
				h.Errorf("%s: reasons %v", step, seen)
			}
			if got := h.plug.Stats().Steps["discover"]; got != 2 {
				h.Errorf("%s: asked %d times, want 2", step, got)
			}
		})
	}
}

// TestUnknownOutcome: a plug that swallows the proof gets three, half a minute
// apart, and no more.
func TestUnknownOutcome(t *testing.T) {
	inBubble(t, &simulator.Plug{}, credentials, func(h *household) {
		h.plug.Inject(simulator.Fault{Kind: simulator.Hang, Path: "pake_share"})
		seen := h.poll(6 * time.Hour)
		if seen[tapo.Timeout] != 3 || seen[tapo.LoginBackoff] == 0 || len(seen) != 2 {
			h.Errorf("reasons %v", seen)
		}
		h.saw("after hours", 3, 0)
		h.plug.Heal()
		h.poll(time.Hour)
		h.saw("when the plug is well again", 3, 0)
		if _, e := h.probe(); !strings.Contains(e.Advice, "Never locked out") {
			h.Errorf("advice: %s", e.Advice)
		}
	})
	inBubble(t, &simulator.Plug{}, credentials, func(h *household) {
		h.plug.Inject(simulator.Fault{Kind: simulator.Hang, Path: "pake_share", Times: 2})
		began := time.Now()
		for {
			if reason, _ := h.probe(); reason == "" {
				break
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took < 80*time.Second || took > 90*time.Second { // 2 x (10 s of waiting + 30 s)
			h.Errorf("read after %v", took)
		}
		h.plug.LoseSession()
		h.plug.Inject(simulator.Fault{Kind: simulator.Hang, Path: "pake_share", Times: 2})
		if seen := h.poll(5 * time.Minute); seen[""] == 0 {
			h.Errorf("two more are three in a row only without a success between: %v", seen)
		}
	})
}

// TestForgottenLogin: a plug that knows of no login under way may have been
// restarted, so it is asked again, but not for ever.
func TestForgottenLogin(t *testing.T) {
	inBubble(t, &simulator.Plug{}, credentials, func(h *household) {
		h.plug.Inject(simulator.Fault{Kind: simulator.LoseSession, Path: "pake_share", Times: 1})
		if reason, _ := h.probe(); reason != tapo.BadCredentials {
			h.Errorf("reason %s", reason)
		}
		time.Sleep(30 * time.Second)
		if reason, _ := h.probe(); reason != "" {
			h.Errorf("half a minute later: %s", reason)
		}
	})
	inBubble(t, &simulator.Plug{}, credentials, func(h *household) {
		h.plug.Inject(simulator.Fault{Kind: simulator.Code, Code: -1501, Path: "pake_share"})
		h.poll(6 * time.Hour)
		h.saw("for six hours", 3, 0)
	})
}

// TestRegisterHangs: what the plug cannot have counted is tried at each probe.
func TestRegisterHangs(t *testing.T) {
	inBubble(t, &simulator.Plug{}, credentials, func(h *household) {
		h.plug.Inject(simulator.Fault{Kind: simulator.Hang, Path: "pake_register", Times: 20}) // twice in the first probe, and then once, with all of the time
		if seen := h.poll(15 * time.Minute); seen[tapo.Timeout] != 19 || seen[""] == 0 {
			h.Errorf("reasons %v", seen)
		}
		if s := h.plug.Stats(); s.Logins != 1 {
			h.Errorf("%d logins", s.Logins)
		}
	})
}

// TestImpostor: something that accepts our proof and has none gets no other: each
// would let it try a password.
func TestImpostor(t *testing.T) {
	inBubble(t, &simulator.Plug{}, credentials, func(h *household) {
		h.plug.Inject(simulator.Fault{Kind: simulator.BadConfirm, Path: "pake_share"})
		h.poll(6 * time.Hour)
		if s := h.plug.Stats(); s.Steps["pake_share"] != 1 || s.Steps["/ds"] != 0 {
			h.Errorf("steps %v", s.Steps)
		}
	})
}

// TestSessionsOverADay: logins are as many as the sessions' lifetime asks for,
// and none of them is noticed by whoever probes.
func TestSessionsOverADay(t *testing.T) {
	inBubble(t, &simulator.Plug{SessionLifetime: time.Hour}, credentials, func(h *household) {
		if seen := h.poll(24 * time.Hour); len(seen) != 1 || seen[""] == 0 {
			h.Errorf("reasons %v", seen)
		}
		s := h.plug.Stats()
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
	inBubble(t, &simulator.Plug{}, credentials, func(h *household) {
		h.poll(time.Minute)
		h.plug.Inject(simulator.Fault{Kind: simulator.Hang, Path: "/ds", Times: 1})
		if seen := h.poll(time.Minute); len(seen) != 1 || seen[""] == 0 {
			h.Errorf("reasons %v", seen)
		}
		if s := h.plug.Stats(); s.Logins != 2 || s.Steps["discover"] != 1 {
			h.Errorf("%d logins, steps %v", s.Logins, s.Steps)
		}
	})
}
