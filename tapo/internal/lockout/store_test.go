// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// acquired returns the guard of an address with a store, acquired.
func acquired(t *testing.T, store Store) *Guard {
	t.Helper()
	g := NewGuard("192.0.2.1:80", store)
	if err := g.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}

// deniedText returns the text of a denial, "" for none.
func deniedText(d *Denied) string {
	if d == nil {
		return ""
	}
	return d.Text
}

// TestProve: while a proof is under way, the store has it as unclear, and afterwards what
// came of it.
func TestProve(t *testing.T) {
	now := time.Now()
	later := now.Add(unclearWait)
	for _, tc := range []struct {
		name    string
		outcome func(g *Guard)
		with    plug.Credentials
		stored  string // what the store allows half a minute later
		count   int    // unclear logins in a row, as stored
		empty   bool
	}{
		{"succeeded", func(g *Guard) { g.Succeeded(mac, now) }, right, "", 0, true},
		{"rejected", func(g *Guard) { g.Record(mac, right, rejected(14), Cause{}, now) }, right, "the same credentials", 0, false},
		{"rejected, other credentials", func(g *Guard) { g.Record(mac, right, rejected(14), Cause{}, now) }, other, "", 0, false},
		{"unclear", func(g *Guard) { g.Record(mac, right, unclear(), Cause{}, now) }, right, "", 1, false},
		{"not sent", func(*Guard) {}, right, "", 0, true},
		{"refused and not counted", func(g *Guard) { r := rejected(-1); r.Counts = false; g.Record(mac, right, r, Cause{}, now) }, right, "", 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			store := &memory{}
			g := acquired(t, store)
			g.Prove(t.Context(), mac, "a way", right, now)
			if d := g.Allow(mac, right, now); d != nil {
				t.Errorf("the guard itself counts it already: %s", d.Text)
			}
			killed := NewGuard("192.0.2.1:80", &memory{store.state})
			if d := killed.Waiting(now); !strings.Contains(deniedText(d), "stopped before the plug had answered") {
				t.Errorf("while it is under way: %v", d)
			}
			if p := killed.state.Plugs[mac]; p == nil || p.Unclear.inARow() != 1 || p.Unclear[0].Way != "a way" {
				t.Errorf("while it is under way: %s", store.state)
			}
			tc.outcome(g)
			g.Release()
			after := NewGuard("192.0.2.1:80", store)
			if got := deniedText(after.Allow(mac, tc.with, later)); got != tc.stored && (tc.stored == "" || !strings.Contains(got, tc.stored)) {
				t.Errorf("%q afterwards, want %q", got, tc.stored)
			}
			if p := after.state.Plugs[mac]; p != nil && p.Unclear.inARow() != tc.count || p == nil && tc.count > 0 {
				t.Errorf("%s, want %d in a row", store.state, tc.count)
			}
			if (store.state == nil) != tc.empty {
				t.Errorf("stored: %s", store.state)
			}
		})
	}
}

// TestProveKeepsWhatIsStored: a proof that was not sent leaves the store as it was.
func TestProveKeepsWhatIsStored(t *testing.T) {
	store, now := &memory{}, time.Now()
	g := acquired(t, store)
	g.Record(mac, wrong, rejected(9), Cause{Text: "the plug said so"}, now)
	before := string(store.state)
	g.Prove(t.Context(), mac, "a way", right, now)
	if string(store.state) == before {
		t.Error("the proof is not stored")
	}
	if d := NewGuard("192.0.2.1:80", store).Allow(mac, wrong, now.Add(unclearWait)); d == nil || d.AttemptsLeft != 8 {
		t.Errorf("%+v while it is under way, want 8 attempts left", d)
	}
	g.Release()
	if string(store.state) != before {
		t.Errorf("stored %s, before %s", store.state, before)
	}
	if d := g.Allow(mac, wrong, now); d == nil || d.AttemptsLeft != 9 {
		t.Errorf("%+v, want 9 attempts left", d)
	}
}

// TestWayOfLogins: a success in one way does not clear what is unclear in another, also
// after a restart, and the way is that of the login under way.
func TestWayOfLogins(t *testing.T) {
	store, now := &memory{}, time.Now()
	logIn := func(way string, outcome func(g *Guard)) *Guard {
		g := acquired(t, store)
		defer g.Release()
		now = now.Add(unclearWait)
		g.Prove(t.Context(), mac, way, right, now)
		outcome(g)
		return g
	}
	fails := func(g *Guard) { g.Record(mac, right, unclear(), Cause{}, now) }
	succeeds := func(g *Guard) { g.Succeeded(mac, now) }
	for i, way := range []string{"a", "b", "a"} {
		logIn(way, fails)
		g := logIn("a", succeeds)
		if n := g.state.Plugs[mac].Unclear.inARow(); n != min(i, 1) {
			t.Errorf("%d in a row after %d", n, i)
		}
	}
	if g := logIn("b", succeeds); g.way() != "" {
		t.Errorf("way %q after the login", g.way())
	}
	if n := NewGuard("192.0.2.1:80", store).state.Plugs[mac].Unclear.inARow(); n != 0 {
		t.Errorf("%d in a row after a success in each way", n)
	}
}

// TestUnclearPerDay: what succeeds between unclear logins does not make them more than ten
// a day, over restarts either.
func TestUnclearPerDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tries := &memory{}, 0
		for start := time.Now(); time.Since(start) < 3*day; time.Sleep(10 * time.Minute) {
			g := acquired(t, store)
			if d := g.Allow(mac, right, time.Now()); d == nil {
				tries++
				g.Prove(t.Context(), mac, "a", right, time.Now())
				g.Record(mac, right, unclear(), Cause{}, time.Now())
			} else if !strings.Contains(d.Text, "10 logins within a day") {
				t.Fatal(d.Text)
			}
			g.Release()
			g = acquired(t, store)
			g.Prove(t.Context(), mac, "a", right, time.Now())
			g.Succeeded(mac, time.Now())
			g.Release()
		}
		if tries != 30 {
			t.Errorf("%d unclear logins in three days", tries)
		}
	})
}

// TestRefresh: a guard takes over what another process has stored, and nothing else.
func TestRefresh(t *testing.T) {
	now := time.Now()
	store := &memory{}
	g := acquired(t, store)
	g.Record(mac, wrong, rejected(9), Cause{}, now)
	own := g.state.Plugs[mac]
	for _, stored := range [][]byte{nil, store.state, fmt.Appendf(nil, " %s\n", store.state)} {
		store.state = stored
		if g.Refresh(t.Context(), now); g.state.Plugs[mac] != own {
			t.Errorf("%q is stored: %+v, want what it had", stored, g.state)
		}
	}
	another := NewGuard("192.0.2.1:80", store)
	another.Record(mac, other, rejected(8), Cause{}, now)
	g.Refresh(t.Context(), now)
	for _, c := range []plug.Credentials{wrong, other} {
		if d := g.Allow(mac, c, now); d == nil || d.AttemptsLeft != 8 {
			t.Errorf("%+v after another process was refused", d)
		}
	}
	another.Succeeded(mac, now)
	if g.Refresh(t.Context(), now); g.Allow(mac, wrong, now).AttemptsLeft != -1 {
		t.Error("the success of another process is not taken over")
	}
	NewGuard("192.0.2.1:80", nil).Refresh(t.Context(), now) // does nothing
}

// TestProcesses interleaves the steps of two processes that share a file, in all orders:
// neither sends the wrong credentials a second time, and both know them in the end.
func TestProcesses(t *testing.T) {
	for order := range 1 << 6 {
		store, now := &memory{}, time.Now()
		guards := []*Guard{acquired(t, store), acquired(t, store)}
		var step [2]int
		var allowed [2]bool
		var sent []int
		for i := range 6 {
			p := order >> i & 1
			if step[p] == 3 {
				p = 1 - p
			}
			g := guards[p]
			switch step[p]++; step[p] {
			case 1:
				g.Refresh(t.Context(), now)
				allowed[p] = g.Allow(mac, wrong, now) == nil
				if len(sent) > 0 && allowed[p] {
					t.Fatalf("order %06b: allowed after a proof", order)
				}
			case 2:
				if allowed[p] {
					g.Prove(t.Context(), mac, "a", wrong, now)
					sent = append(sent, p)
				}
			case 3:
				if allowed[p] {
					g.Record(mac, wrong, rejected(14), Cause{}, now)
				}
				g.Release()
			}
		}
		if len(sent) == 0 {
			t.Errorf("order %06b: none was allowed", order)
		}
		later := now.Add(time.Hour)
		for _, g := range append(guards, NewGuard("192.0.2.1:80", store)) {
			if g.Refresh(t.Context(), later); g.Allow(mac, wrong, later) == nil {
				t.Errorf("order %06b: allowed once more", order)
			}
			if d := g.Allow(mac, right, later); d != nil {
				t.Errorf("order %06b: %s", order, d.Text)
			}
		}
	}
}

// counting counts what is saved.
type counting struct {
	memory
	saves int
}

func (c *counting) Save(address string, state []byte) {
	c.saves++
	c.memory.Save(address, state)
}

// TestSavesWhatIsNew: a store is not written for what it has.
func TestSavesWhatIsNew(t *testing.T) {
	store, now := &counting{}, time.Now()
	g := acquired(t, store)
	for _, step := range []struct {
		do    func()
		saves int
	}{
		{func() { g.Succeeded(mac, now) }, 0},
		{func() { g.RecordNewer(t.Context(), now) }, 1},
		{func() { g.RecordNewer(t.Context(), now); g.Succeeded(mac, now) }, 1},
		{func() { g.Prove(t.Context(), mac, "a", right, now) }, 2},
		{func() { g.Succeeded(mac, now); g.Succeeded(mac, now) }, 3},
		{func() { g.Release() }, 3},
	} {
		if step.do(); store.saves != step.saves {
			t.Errorf("%d saves, want %d", store.saves, step.saves)
		}
	}
}

// TestStoredWaitOfWrongClock: a wait ends in the time that was meant, whatever the clock
// showed when it began.
func TestStoredWaitOfWrongClock(t *testing.T) {
	now := time.Now()
	for name, clock := range map[string]time.Time{"right": now, "ahead": now.AddDate(10, 0, 0), "an hour ahead": now.Add(time.Hour)} {
		store := &memory{}
		NewGuard("192.0.2.1:80", store).Record(mac, right, unclear(), Cause{}, clock)
		g := &Guard{state: load(store.state, now)}
		if g.Waiting(now.Add(unclearWait-time.Second)) == nil || g.Waiting(now.Add(unclearWait)) != nil {
			t.Errorf("%s: until %v, now is %v", name, g.state.Next, now)
		}
	}
}

// TestStoredCounts: logins of which an earlier version has only stored how many were unclear
// count together with later ones.
func TestStoredCounts(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		stored, more int
		denied       bool
	}{{1, 0, false}, {2, 0, false}, {3, 0, true}, {9, 0, true}, {1, 1, false}, {2, 1, true}} {
		plugState := fmt.Sprintf(`{"unknown_outcomes":%d,"cause":{"text":"x"}}`, tc.stored)
		g := &Guard{state: load(fmt.Appendf(nil, `{"plugs":{%q:%s}}`, mac, plugState), now)}
		for range tc.more {
			g.Record(mac, right, unclear(), Cause{}, now)
		}
		if d := g.Allow(mac, right, now.Add(unclearWait)); (d != nil) != tc.denied {
			t.Errorf("%d stored and %d more: %v", tc.stored, tc.more, d)
		}
		forAll := &Guard{state: load([]byte(plugState), now)}
		if d := forAll.Allow(mac, right, now); (d != nil) != (tc.stored >= maxUnclear) {
			t.Errorf("%d stored for all plugs: %v", tc.stored, d)
		}
	}
}

// stuck is a store on a disk that does not answer.
type stuck struct{ memory }

func (*stuck) Sync(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestStuckStore: a login waits for a disk for a second, and not longer than it has.
func TestStuckStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := acquired(t, &stuck{})
		ended, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("over"))
		for _, tc := range []struct {
			ctx  context.Context
			want time.Duration
		}{{t.Context(), time.Second}, {ended, 0}} {
			began := time.Now()
			g.Refresh(tc.ctx, began)
			if took := time.Since(began); took != tc.want {
				t.Errorf("Refresh took %v", took)
			}
			began = time.Now()
			g.Prove(tc.ctx, mac, "a", right, began)
			if took := time.Since(began); took != tc.want {
				t.Errorf("Prove took %v", took)
			}
		}
	})
}
