// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

var (
	right = plug.Credentials{Username: "user@example.com", Password: "right"}
	wrong = plug.Credentials{Username: "user@example.com", Password: "wrong"}
	other = plug.Credentials{Username: "user@example.com", Password: "other"}
)

const mac = "AA-BB-CC-00-11-22"

// What plugs answer to a login.
func rejected(left int) *transport.Rejected {
	return &transport.Rejected{Verdict: transport.Wrong, Counts: true, AttemptsLeft: left}
}

func unclear() *transport.Rejected {
	return &transport.Rejected{Verdict: transport.Unclear, OutcomeUnknown: true, AttemptsLeft: -1}
}

func locked(d time.Duration) *transport.Rejected {
	return &transport.Rejected{Verdict: transport.Locked, Lock: d, AttemptsLeft: -1}
}

// TestGuard records logins, half a minute apart, and asks whether another one is
// allowed some time after the last.
func TestGuard(t *testing.T) {
	type login struct {
		with plug.Credentials
		got  *transport.Rejected // nil for a login that succeeded
	}
	uncounted := &transport.Rejected{Verdict: transport.Wrong, AttemptsLeft: -1}
	lockedUnclear := &transport.Rejected{Verdict: transport.Locked, Lock: time.Minute, OutcomeUnknown: true, AttemptsLeft: -1}
	for _, tc := range []struct {
		name   string
		logins []login
		with   plug.Credentials
		after  time.Duration
		denied string // in the text, "" for a login that is allowed
		left   int    // attempts, as Denied has them
	}{
		{"nothing recorded", nil, right, 0, "", 0},
		{"refused credentials", []login{{wrong, rejected(14)}}, wrong, 0, "not tried again with the same credentials", 14},
		{"refused credentials, years later", []login{{wrong, rejected(14)}}, wrong, 1e5 * time.Hour, "not tried again with the same credentials", 14},
		{"other credentials", []login{{wrong, rejected(14)}}, right, 0, "", 0},
		{"refused before a success", []login{{wrong, rejected(14)}, {right, nil}}, wrong, 0, "not tried again with the same credentials", -1},
		{"refused before others", []login{{wrong, rejected(14)}, {other, rejected(13)}}, wrong, 0, "not tried again with the same credentials", 13},
		{"a refusal that is not counted", []login{{wrong, uncounted}}, wrong, 0, "", 0},

		{"six attempts left", []login{{wrong, rejected(6)}}, right, 0, "", 0},
		{"five attempts left", []login{{wrong, rejected(5)}}, right, 1e5 * time.Hour, "5 attempts left", 5},
		{"five left, and a success", []login{{wrong, rejected(5)}, {right, nil}}, right, 0, "", 0},
		{"an unclear one may be the sixth", []login{{wrong, rejected(6)}, {right, unclear()}}, right, time.Hour, "5 attempts left", 5},
		{"a refusal that does not tell what is left", []login{{wrong, rejected(6)}, {other, rejected(-1)}}, right, 0, "5 attempts left", 5},

		{"unclear, at once", []login{{right, unclear()}}, right, 0, "may have counted", -1},
		{"unclear, other credentials", []login{{right, unclear()}}, other, 29 * time.Second, "may have counted", -1},
		{"unclear, later", []login{{right, unclear()}}, right, 30 * time.Second, "", 0},
		{"two unclear ones", []login{{right, unclear()}, {right, unclear()}}, right, 30 * time.Second, "", 0},
		{"three unclear ones", []login{{right, unclear()}, {other, unclear()}, {right, unclear()}}, right, 1e5 * time.Hour, "after 3 logins in a row", -1},
		{"unclear ones, not in a row", []login{{right, unclear()}, {right, unclear()}, {right, nil}, {right, unclear()}}, right, time.Minute, "", 0},
		{"unclear ones, and a refusal", []login{{wrong, unclear()}, {wrong, unclear()}, {wrong, rejected(9)}, {right, unclear()}}, right, time.Minute, "", 0},

		{"locked", []login{{right, locked(time.Hour)}}, right, time.Hour - 1, "not tried before", -1},
		{"locked, other credentials", []login{{right, locked(time.Hour)}}, other, 0, "not tried before", -1},
		{"locked, and over", []login{{right, locked(time.Hour)}}, right, time.Hour, "", 0},
		{"locked for a time that is not told", []login{{right, locked(0)}}, right, 30*time.Minute - 1, "not tried before", -1},
		{"locked for a time that is not told, and over", []login{{right, locked(0)}}, right, 30 * time.Minute, "", 0},
		{"locked for a year", []login{{right, locked(1e4 * time.Hour)}}, right, 24 * time.Hour, "", 0},
		{"locked, and unclear", []login{{right, lockedUnclear}}, right, 30*time.Minute - 1, "not tried before", -1},
		{"locked, and unclear for the third time", []login{{right, lockedUnclear}, {right, lockedUnclear}, {right, lockedUnclear}}, right, time.Hour, "after 3 logins", -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewGuard("192.0.2.1:80", nil)
			now := time.Date(2026, 7, 4, 10, 0, 0, 0, time.UTC)
			for _, l := range tc.logins {
				now = now.Add(30 * time.Second)
				if l.got == nil {
					g.Succeeded(mac, now)
					continue
				}
				cause := Cause{Reason: "bad_credentials", Text: "the plug said so", Advice: "Mend it."}
				if l.got.Verdict == transport.Locked {
					cause.Reason = Locked
				}
				g.Record(mac, l.with, l.got, cause, now)
			}
			d := g.Allow(mac, tc.with, now.Add(tc.after))
			if tc.denied == "" {
				if d != nil {
					t.Errorf("denied: %s", d.Text)
				}
				return
			}
			if d == nil {
				t.Fatal("allowed")
			}
			if !strings.Contains(d.Text, tc.denied) || !strings.Contains(d.Text, "the plug said so") || !strings.HasPrefix(d.Advice, "Mend it. ") {
				t.Errorf("%q, %q: no %q, or not its cause", d.Text, d.Advice, tc.denied)
			}
			if d.AttemptsLeft != tc.left || d.Locked != strings.HasPrefix(tc.denied, "not tried before") {
				t.Errorf("%d attempts left, locked %t", d.AttemptsLeft, d.Locked)
			}
		})
	}
}

// TestGuardForgetsTheOldest keeps as many refused credentials as a person may try.
func TestGuardForgetsTheOldest(t *testing.T) {
	g, now := NewGuard("192.0.2.1:80", nil), time.Now()
	g.Record(mac, wrong, rejected(14), Cause{}, now)
	for i := range maxRejected {
		if g.Allow(mac, wrong, now) == nil {
			t.Fatalf("forgotten after %d others", i)
		}
		g.Record(mac, plug.Credentials{Username: "user@example.com", Password: plug.Secret(rune('a' + i))}, rejected(14), Cause{}, now)
	}
	if d := g.Allow(mac, wrong, now); d != nil {
		t.Errorf("still known after %d others: %s", maxRejected, d.Text)
	}
}

// TestGuardIsAcquiredOnce: there is one login at a time.
func TestGuardIsAcquiredOnce(t *testing.T) {
	g := NewGuard("192.0.2.1:80", nil)
	if err := g.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g.Idle() {
		t.Error("idle during a login")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Acquire(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("acquired twice: %v", err)
	}
	g.Release()
	if !g.Idle() {
		t.Error("not idle after the login")
	}
}
