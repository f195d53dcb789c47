// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// take takes a guess without waiting.
func take(t *testing.T, g *Guesses, c plug.Credentials, at time.Time) (*Guess, *Denied) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	guess, denied, err := g.Take(ctx, c, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	return guess, denied
}

// spend spends n guesses.
func spend(t *testing.T, g *Guesses, c plug.Credentials, n int, at time.Time) {
	t.Helper()
	for range n {
		guess, denied := take(t, g, c, at)
		if denied != nil {
			t.Fatal(denied.Text)
		}
		guess.End(true)
	}
}

// TestGuesses: ten a day for each account, of which those that are returned do not count.
func TestGuesses(t *testing.T) {
	for name, store := range map[string]Store{"stored": &memory{}, "not stored": nil} {
		t.Run(name, func(t *testing.T) {
			g, now := NewGuesses(Counted, store), time.Now()
			for range 2 * Counted.PerDay {
				guess, denied := take(t, g, right, now)
				if denied != nil {
					t.Fatalf("after returned ones: %s", denied.Text)
				}
				guess.End(false)
			}
			spend(t, g, right, 1, now)
			spend(t, g, right, Counted.PerDay-1, now.Add(time.Hour))
			_, denied := take(t, g, right, now.Add(day-1))
			if want := "not tried before " + now.Add(day).Format(time.RFC3339); denied == nil || !strings.Contains(denied.Text, want) || denied.AttemptsLeft != -1 {
				t.Fatalf("%+v, want %q", denied, want)
			}
			if !strings.Contains(denied.Advice, "targets.yml") {
				t.Errorf("advice %q", denied.Advice)
			}
			spend(t, g, wrong, Counted.PerDay, now.Add(time.Hour))
			spend(t, g, plug.Credentials{Username: "other@example.com", Password: right.Password}, Counted.PerDay, now.Add(time.Hour))
			spend(t, g, right, 1, now.Add(day)) // the first one is a day old
			_, denied = take(t, g, right, now.Add(day))
			if want := now.Add(25 * time.Hour).Format(time.RFC3339); denied == nil || !strings.Contains(denied.Text, want) {
				t.Errorf("%+v, want %s", denied, want)
			}
		})
	}
}

// TestGuessesUnderWay: a login waits for the outcomes of others if they may leave a guess.
func TestGuessesUnderWay(t *testing.T) {
	for name, outcome := range map[string]bool{"spent": true, "returned": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewGuesses(Counted, &memory{})
				spend(t, g, right, Counted.PerDay-2, time.Now())
				first, _ := take(t, g, right, time.Now())
				second, _ := take(t, g, right, time.Now())
				ended := false
				var guess *Guess
				var denied *Denied
				go func() {
					guess, denied, _ = g.Take(t.Context(), right, time.Now)
					ended = true
				}()
				synctest.Wait()
				if ended {
					t.Fatal("did not wait")
				}
				if _, denied := take(t, g, wrong, time.Now()); denied != nil {
					t.Errorf("another account: %s", denied.Text)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if guess, denied, err := g.Take(ctx, right, time.Now); !errors.Is(err, context.DeadlineExceeded) || guess != nil || denied != nil {
					t.Errorf("%v, %v, %v when the time is over", guess, denied, err)
				}
				first.End(true)
				synctest.Wait()
				if ended {
					t.Fatal("did not wait for the second one")
				}
				second.End(outcome)
				synctest.Wait()
				if !ended || (denied != nil) != outcome || (guess != nil) == outcome {
					t.Errorf("ended %t, %v, %v", ended, guess, denied)
				}
			})
		})
	}
}

// accountJSON returns what is stored of an account.
func accountJSON(t *testing.T, c plug.Credentials, spent ...time.Time) string {
	t.Helper()
	text, err := json.Marshal(account{hashedCredentials: newHashed(c, false, true), Spent: spent})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// times returns the same time n times.
func times(n int, at time.Time) (all []time.Time) {
	for range n {
		all = append(all, at)
	}
	return all
}

// TestStoredGuesses: what is left, and how long a login waits at most, by what is stored.
func TestStoredGuesses(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		name, stored string
		left         int
	}{
		{"nothing", "", 10},
		{"not JSON", `[{`, 10},
		{"another type", `{"spent":[]}`, 10},
		{"null", `[null]`, 10},
		{"no hash", `[{"spent":["2026-01-01T00:00:00Z"]}]`, 10},
		{"times that are none", `[{"salt":"AAAA","password":"AAAA","spent":[5]}]`, 10},
		{"three", `[` + accountJSON(t, right, times(3, now.Add(-time.Hour))...) + `]`, 7},
		{"three after damage", `[null,{},` + accountJSON(t, right, times(3, now)...) + `]`, 7},
		{"old ones", `[` + accountJSON(t, right, append(times(6, now.Add(-day)), times(3, now.Add(1-day))...)...) + `]`, 7},
		{"not in order", `[` + accountJSON(t, right, append(times(3, now), times(6, now.Add(-day))...)...) + `]`, 7},
		{"of another account", `[` + accountJSON(t, wrong, times(10, now)...) + `]`, 10},
		{"of two accounts", `[` + accountJSON(t, wrong, times(10, now)...) + `,` + accountJSON(t, right, times(9, now)...) + `]`, 1},
		{"of a clock that was wrong", `[` + accountJSON(t, right, times(10, now.AddDate(70, 0, 0))...) + `]`, 0},
		{"too many", `[` + accountJSON(t, right, times(1000, now)...) + `]`, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			store := &memory{}
			if tc.stored != "" {
				store.state = []byte(tc.stored)
			}
			g := NewGuesses(Counted, store)
			spend(t, g, right, tc.left, now)
			_, denied := take(t, g, right, now)
			if denied == nil {
				t.Fatalf("more than %d left", tc.left)
			}
			if _, denied := take(t, g, right, now.Add(day)); denied != nil {
				t.Errorf("a day later: %s", denied.Text)
			}
			if len(g.accounts) > maxRejected {
				t.Errorf("%d accounts", len(g.accounts))
			}
		})
	}
}

// TestGuessesAtOnce: logins that begin at the same time, and succeed, leave nothing behind.
func TestGuessesAtOnce(t *testing.T) {
	store := &memory{}
	g := NewGuesses(Counted, store)
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			guess, denied, err := g.Take(t.Context(), right, time.Now)
			if err != nil || denied != nil {
				t.Errorf("%v, %v", denied, err)
				return
			}
			guess.End(false)
		})
	}
	group.Wait()
	if store.state != nil {
		t.Errorf("stored: %s", store.state)
	}
}

// TestGuessesWhileTheClockIsSetBack: a login never waits for more than a day.
func TestGuessesWhileTheClockIsSetBack(t *testing.T) {
	now := time.Now().Round(0)
	store := &memory{[]byte(`[` + accountJSON(t, right, times(10, now)...) + `]`)}
	g := NewGuesses(Counted, store)
	past := now.AddDate(-1, 0, 0)
	if _, denied := take(t, g, right, past); denied == nil {
		t.Error("allowed at once")
	}
	if _, denied := take(t, g, right, past.Add(day)); denied != nil {
		t.Errorf("a day later: %s", denied.Text)
	}
}

// TestGuessesOfTwoProcesses: each counts what the other has spent, and stores it.
func TestGuessesOfTwoProcesses(t *testing.T) {
	store, now := &memory{}, time.Now()
	a, b := NewGuesses(Counted, store), NewGuesses(Counted, store)
	spend(t, a, right, 4, now)
	spend(t, b, right, 3, now)
	underWay, _ := take(t, a, right, now)
	spend(t, b, right, 2, now)
	if _, denied := take(t, b, right, now); denied == nil {
		t.Error("more than ten, with one that another process has under way")
	}
	underWay.End(false)
	spend(t, b, right, 1, now)
	for name, g := range map[string]*Guesses{"a": a, "b": b, "a third one": NewGuesses(Counted, store)} {
		if _, denied := take(t, g, right, now); denied == nil {
			t.Errorf("%s has more than ten", name)
		}
	}
	store.state = nil // the file is lost
	if _, denied := take(t, a, right, now); denied == nil {
		t.Error("forgotten with the file")
	}
}

// TestGuessesStoreNothing: what is spent no more leaves nothing behind.
func TestGuessesStoreNothing(t *testing.T) {
	store, now := &memory{}, time.Now()
	g := NewGuesses(Counted, store)
	guess, _ := take(t, g, right, now)
	if store.state == nil {
		t.Error("a login under way is not stored")
	}
	guess.End(false)
	if store.state != nil {
		t.Errorf("stored: %s", store.state)
	}
	salt := string(g.accounts[0].Salt)
	spend(t, g, wrong, 3, now)
	spend(t, g, right, 1, now.Add(day))
	if string(g.accounts[0].Salt) != salt {
		t.Error("hashed again")
	}
	if strings.Count(string(store.state), "spent") != 1 || strings.Contains(string(store.state), "user@example.com") {
		t.Errorf("stored: %s", store.state)
	}
}

// FuzzLoadGuesses: whatever is stored, there are ten guesses a day, a login waits for a day
// at most, and what is stored again is the same.
func FuzzLoadGuesses(f *testing.F) {
	now := time.Date(2026, 7, 4, 10, 0, 0, 0, time.UTC)
	for _, seed := range []string{
		`[]`, `[null]`, `[{"salt":"c2FsdA==","username":"AA==","password":"AA==","spent":["2026-07-04T09:00:00Z","2026-07-04T08:00:00Z"]}]`,
		`[{"salt":"","password":null,"spent":["9999-12-31T23:59:59Z","0000-01-01T00:00:00Z"]}]`, `{"salt":5}`,
	} {
		f.Add([]byte(seed))
		f.Add([]byte(strings.ReplaceAll(seed, `"2026-07-04T08:00:00Z"`, `"2026-07-04T08:00:00Z"`+strings.Repeat(`,"2026-07-04T07:00:00Z"`, 20))))
	}
	many := `[null`
	for i := range 50 {
		many += fmt.Sprintf(`,{"salt":"AA%02d","spent":["2026-07-04T09:00:00Z"]}`, i)
	}
	f.Add([]byte(many + "]"))
	clock := func() time.Time { return now }
	f.Fuzz(func(t *testing.T, stored []byte) {
		load := func(stored []byte) *Guesses {
			g := &Guesses{budget: Counted, store: &memory{stored}, returned: make(chan struct{})}
			g.refresh()
			g.prune(now)
			g.save()
			return g
		}
		g := load(stored)
		if len(g.accounts) > maxRejected {
			t.Errorf("%d accounts", len(g.accounts))
		}
		for _, a := range g.accounts {
			if len(a.Spent) > Counted.PerDay {
				t.Errorf("%d spent", len(a.Spent))
			}
			for i, at := range a.Spent {
				if at.After(now) || now.Sub(at) >= day || i > 0 && at.Before(a.Spent[i-1]) {
					t.Errorf("spent at %v, %v", at, a.Spent)
				}
			}
		}
		if again := load(g.saved); string(again.saved) != string(g.saved) {
			t.Errorf("%s, stored again %s", g.saved, again.saved)
		}
		for range Counted.PerDay {
			guess, _, _ := g.take(right, clock)
			if guess == nil {
				break
			}
			guess.End(true)
		}
		if guess, denied, _ := g.take(right, clock); guess != nil || denied == nil {
			t.Error("more than ten")
		}
		if guess, denied, _ := g.take(right, func() time.Time { return now.Add(day) }); guess == nil {
			t.Errorf("a day later: %v", denied)
		}
	})
}
