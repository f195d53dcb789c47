// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

func init() { hashRounds = 10 }

// memory is a [Store] of one state.
type memory struct{ state []byte }

func (m *memory) Load(string) []byte { return m.state }

func (m *memory) Save(_ string, state []byte) { m.state = state }

func (*memory) Sync(context.Context) error { return nil }

// madeUp returns another MAC address for each number.
func madeUp(i int) string { return fmt.Sprintf("02-00-00-00-%02X-%02X", i/256, i%256) }

// TestGuardByPlug has two plugs at one address: what one has answered, and what the
// other is allowed.
func TestGuardByPlug(t *testing.T) {
	impostor := &transport.Rejected{Verdict: transport.Impostor, Counts: true, AttemptsLeft: -1}
	for _, tc := range []struct {
		name  string
		first func(g *Guard, now time.Time)
		with  plug.Credentials
		after time.Duration
		want  string // in the denial, "" if the other plug gets a login
	}{
		{"refused credentials", func(g *Guard, now time.Time) { g.Record(mac, wrong, rejected(14), Cause{}, now) }, wrong, 0, ""},
		{"an impostor", func(g *Guard, now time.Time) { g.Record(mac, wrong, impostor, Cause{}, now) }, wrong, 0, ""},
		{"five attempts left", func(g *Guard, now time.Time) { g.Record(mac, wrong, rejected(5), Cause{}, now) }, wrong, 0, ""},
		{"of no MAC address", func(g *Guard, now time.Time) { g.Record("", wrong, rejected(5), Cause{}, now) }, wrong, 0, ""},
		{"an unclear outcome, at once", func(g *Guard, now time.Time) { g.Record(mac, wrong, unclear(), Cause{}, now) }, wrong, 29 * time.Second, "may have counted"},
		{"three unclear outcomes, later", func(g *Guard, now time.Time) {
			for range maxUnclear {
				g.Record(mac, wrong, unclear(), Cause{}, now)
			}
		}, wrong, 30 * time.Second, ""},
		{"locked", func(g *Guard, now time.Time) { g.Record(mac, wrong, locked(time.Hour), Cause{Reason: Locked}, now) }, right, time.Hour - 1, "not tried before"},
		{"locked, without telling which plug", func(g *Guard, now time.Time) { g.Record("", wrong, locked(time.Hour), Cause{Reason: Locked}, now) }, right, time.Hour, ""},
		{"three plugs", func(g *Guard, now time.Time) {
			for i := range 3 {
				g.Record(madeUp(i), wrong, rejected(14), Cause{}, now.Add(time.Duration(i)*time.Hour))
			}
		}, right, 24*time.Hour - 1, "3 plugs with other MAC addresses"},
		{"three plugs, the first of them a day ago", func(g *Guard, now time.Time) {
			for i := range 3 {
				g.Record(madeUp(i), wrong, rejected(14), Cause{}, now.Add(time.Duration(i)*time.Hour))
			}
		}, wrong, 24 * time.Hour, ""},
		{"three plugs, the first of them tried again", func(g *Guard, now time.Time) {
			for i := range 3 {
				g.Record(madeUp(i), wrong, rejected(14), Cause{}, now)
			}
			g.Record(madeUp(0), other, rejected(13), Cause{}, now.Add(time.Hour))
		}, wrong, 24 * time.Hour, ""},
		{"three plugs, one of which was read since", func(g *Guard, now time.Time) {
			for i := range 3 {
				g.Record(madeUp(i), wrong, rejected(14), Cause{}, now)
			}
			g.Succeeded(madeUp(0), now)
		}, right, 0, "3 plugs with other MAC addresses"},
		{"as many as are remembered", func(g *Guard, now time.Time) {
			for i := range maxPlugs {
				g.Record(madeUp(i), wrong, rejected(14), Cause{}, now.Add(-365*24*time.Hour))
			}
		}, right, 0, "9 plugs"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, now := NewGuard("192.0.2.1:80", nil), time.Now().Add(-48*time.Hour)
			tc.first(g, now)
			stored, err := json.Marshal(g.state)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range []*Guard{g, NewGuard("192.0.2.1:80", &memory{stored})} {
				d := g.Allow("AA-BB-CC-00-11-33", tc.with, now.Add(tc.after))
				if tc.want == "" && d != nil || tc.want != "" && (d == nil || !strings.Contains(d.Text, tc.want)) {
					t.Errorf("%+v, want %q", d, tc.want)
				}
			}
		})
	}
}

// TestSuccessIsOfOnePlug: a login to one plug does not clear what another has refused.
func TestSuccessIsOfOnePlug(t *testing.T) {
	g, now := NewGuard("192.0.2.1:80", nil), time.Now()
	g.Record(mac, wrong, rejected(5), Cause{}, now)
	g.Succeeded(madeUp(1), now)
	g.Succeeded("", now)
	if g.Allow(mac, right, now) == nil {
		t.Error("one of the last five attempts")
	}
	g.Succeeded(mac, now)
	if d := g.Allow(mac, right, now); d != nil {
		t.Error(d.Text)
	}
	if g.Allow(mac, wrong, now) == nil {
		t.Error("refused credentials once more")
	}
}

// TestEarlierState: what a version without MAC addresses has stored may be that of any
// plug at the address, and holds for all of them.
func TestEarlierState(t *testing.T) {
	now := time.Now()
	refused := &rejectedCredentials{newHashed(wrong, rejected(9).UsernameUnused, true), Cause{Text: "the plug said so"}}
	earlier := func(members string) *memory {
		list, err := json.Marshal([]*rejectedCredentials{refused})
		if err != nil {
			t.Fatal(err)
		}
		return &memory{fmt.Appendf(nil, `{"refused":%s,"cause":{"reason":"bad_credentials","text":"x","advice":"y"}%s}`, list, members)}
	}
	for name, members := range map[string]string{
		"refused":              ``,
		"with an attempt left": `,"attempts_left":6,"unknown_outcomes":1`,
		"with a wait":          `,"next":"` + now.Add(10*time.Second).Format(time.RFC3339) + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			store := earlier(members)
			g := NewGuard("192.0.2.1:80", store)
			if waits := g.Waiting(now) != nil; waits != strings.Contains(members, "next") {
				t.Errorf("waits: %t", waits)
			}
			g.Record("", right, locked(time.Minute), Cause{Reason: Locked}, now) // which does not say which plug it is
			g = NewGuard("192.0.2.1:80", store)
			later := now.Add(time.Hour)
			if g.Allow(mac, wrong, later) == nil {
				t.Error("the same credentials once more")
			}
			for range 2 {
				if g.Allow(madeUp(1), wrong, later) == nil {
					t.Error("the same credentials once more, under another MAC address")
				}
				if d := g.Allow(mac, other, later); d != nil {
					t.Errorf("other credentials: %s", d.Text)
				}
				g = NewGuard("192.0.2.1:80", store)
			}
		})
	}
}

// TestProvenPlug: made-up MAC addresses do not keep out the plug that has accepted a login,
// and get no second try after an unclear outcome.
func TestProvenPlug(t *testing.T) {
	g, now := NewGuard("192.0.2.1:80", nil), time.Now()
	g.Succeeded(mac, now)
	for i := range plugsPerPeriod {
		g.Record(madeUp(i), right, unclear(), Cause{}, now)
		now = now.Add(unclearWait)
	}
	if d := g.Allow(mac, right, now); d != nil {
		t.Error(d.Text)
	}
	for i := range plugsPerPeriod + 1 {
		if g.Allow(madeUp(i), right, now) == nil {
			t.Errorf("made-up address %d is tried", i)
		}
	}
	g.Record(mac, right, unclear(), Cause{}, now)
	if d := g.Allow(mac, right, now.Add(unclearWait)); d != nil {
		t.Error(d.Text)
	}
	g.Succeeded("", now)
	if g.Allow("", right, now) == nil {
		t.Error("any plug without a MAC address counts as the one that has accepted a login")
	}
}

// TestPlugThatHasMoved: a login that was lost once, and made up for, does not leave the next
// plug at the address with fewer tries.
func TestPlugThatHasMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		g := NewGuard("192.0.2.1:80", store)
		g.Record(mac, right, unclear(), Cause{}, time.Now())
		g.Succeeded(mac, time.Now())
		time.Sleep(day)
		g.Record(madeUp(1), right, unclear(), Cause{}, time.Now())
		for _, g := range []*Guard{g, NewGuard("192.0.2.1:80", store)} {
			later := time.Now().Add(unclearWait)
			if d := g.Allow(madeUp(1), right, later); d != nil {
				t.Error(d.Text)
			}
			g.Record(madeUp(2), right, unclear(), Cause{}, time.Now())
			if d := g.Allow(madeUp(1), right, later); !strings.Contains(deniedText(d), "not tried again after a login of which") {
				t.Errorf("of two plugs: %v", d)
			}
		}
	})
}

// TestIdle: a guard whose wait is over can be dropped, and one that has seen a newer plug if
// a store knows that.
func TestIdle(t *testing.T) {
	for _, store := range []Store{nil, &memory{}} {
		g := NewGuard("192.0.2.1:80", store)
		if g.RecordNewer(t.Context(), time.Now()); g.Idle() != (store != nil) {
			t.Errorf("with store %v: idle %t", store, g.Idle())
		}
	}
	synctest.Test(t, func(t *testing.T) {
		g := NewGuard("192.0.2.1:80", nil)
		g.Record("", right, locked(time.Hour), Cause{Reason: Locked}, time.Now())
		if g.Idle() {
			t.Error("idle while the plug is locked")
		}
		time.Sleep(time.Hour)
		if !g.Idle() {
			t.Error("not idle after that")
		}
	})
}

// TestDamagedState: whatever is stored, a guard works, and keeps what is sound.
func TestDamagedState(t *testing.T) {
	now := time.Now()
	for _, state := range []string{
		`{"plugs":null}`, `{"plugs":[]}`, `{"plugs":{"x":{"cause":{"text":"x"}}}}`, `{"plugs":{"aa:bb:cc:00:11:22":{"attempts_left":1,"cause":{}}}}`,
		`{"plugs":{"AA-BB-CC-00-11-22":null}}`, `{"plugs":{"AA-BB-CC-00-11-22":{"unknown_outcomes":9}}}`, `{"plugs":{"AA-BB-CC-00-11-22":{"refused":[null]}}}`,
		`{"next":"2099-01-01T00:00:00Z"}`, `{"next_cause":{}}`,
	} {
		g := NewGuard("192.0.2.1:80", &memory{[]byte(state)})
		if d := g.Allow(mac, wrong, now); d != nil {
			t.Errorf("%s: %s", state, d.Text)
		}
		g.Record(mac, wrong, rejected(14), Cause{}, now)
		g.Succeeded(mac, now)
	}
	for _, damage := range []string{`"attempts_left":"x",`, `"refused":{},`} {
		state := `{` + damage + `"plugs":{"02-00-00-00-00-01":5,"AA-BB-CC-00-11-22":{"attempts_left":1,"cause":{}},"02-00-00-00-00-02":[]}}`
		g := NewGuard("192.0.2.1:80", &memory{[]byte(state)})
		if g.Allow(mac, wrong, now) == nil {
			t.Errorf("lost because of %s", damage)
		}
		if d := g.Allow(madeUp(1), wrong, now); d != nil {
			t.Errorf("%s: %s", damage, d.Text)
		}
	}
}

// TestWrongClockEnds: times of a clock that was wrong keep no plug waiting.
func TestWrongClockEnds(t *testing.T) {
	store := &memory{}
	g := NewGuard("192.0.2.1:80", store)
	for i := range 3 {
		g.Record(madeUp(i), wrong, rejected(14), Cause{}, time.Now().AddDate(70, 0, 0))
	}
	g = NewGuard("192.0.2.1:80", store)
	if d := g.Allow(mac, wrong, time.Now().Add(plugsPeriod)); d != nil {
		t.Error(d.Text)
	}
}

// TestWhoeverAlternates plays a true plug, and somebody who makes MAC addresses up, also
// the true plug's own, and answers what he likes. The true plug gets each wrong password
// once, no more than three plugs are tried in any day, and what is remembered is bounded.
func TestWhoeverAlternates(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { alternate(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func alternate(t *testing.T, random *rand.Rand) {
	store := &memory{}
	g := NewGuard("192.0.2.1:80", store)
	seen := map[plug.Credentials]int{} // by the true plug
	var tried []struct {
		mac string
		at  time.Time
	}
	for range 400 {
		time.Sleep(time.Duration(random.IntN(4*60)) * time.Minute)
		if random.IntN(20) == 0 {
			g = NewGuard("192.0.2.1:80", store)
		}
		c := []plug.Credentials{wrong, other, right}[random.IntN(3)]
		at, isTrue := mac, random.IntN(3) == 0
		if !isTrue && random.IntN(4) > 0 {
			at = madeUp(random.IntN(100))
		}
		if g.Waiting(time.Now()) != nil || g.Allow(at, c, time.Now()) != nil {
			continue
		}
		outcome := []*transport.Rejected{rejected(random.IntN(15)), unclear(), locked(time.Hour), {Verdict: transport.Impostor, Counts: true, AttemptsLeft: -1}}[random.IntN(4)]
		if isTrue {
			seen[c]++
			if outcome = rejected(14); c == right {
				g.Succeeded(at, time.Now())
				continue
			}
		}
		g.Record(at, c, outcome, Cause{Reason: "bad_credentials"}, time.Now())
		if outcome.Counts || outcome.OutcomeUnknown {
			tried = append(tried, struct {
				mac string
				at  time.Time
			}{at, time.Now()})
		}
	}
	if seen[wrong] > 1 || seen[other] > 1 {
		t.Errorf("the true plug saw the wrong passwords %d and %d times", seen[wrong], seen[other])
	}
	for i, first := range tried {
		plugs := map[string]bool{}
		for _, next := range tried[i:] {
			if next.at.Sub(first.at) < plugsPeriod {
				plugs[next.mac] = true
			}
		}
		if len(plugs) > plugsPerPeriod {
			t.Errorf("%d plugs within a day", len(plugs))
		}
	}
	if n := len(g.state.Plugs); n > maxPlugs {
		t.Errorf("%d plugs are remembered", n)
	}
}

// FuzzLoadState: whatever is stored, a guard works, waits for a day at most unless it denies
// for good, keeps a bounded number of logins, and stores the same again.
func FuzzLoadState(f *testing.F) {
	now := time.Date(2026, 7, 4, 10, 0, 0, 0, time.UTC)
	for _, seed := range []string{
		`{}`, `null`, `[]`, `{"newer":true}`, `{"unknown_outcomes":9,"cause":{},"next":"2026-07-04T11:00:00Z"}`,
		`{"next":"2026-07-04T10:00:30Z","next_since":"2026-07-04T10:00:00Z","next_cause":{"reason":"timeout"},"plugs":{"AA-BB-CC-00-11-22":` +
			`{"tried":"2026-07-04T10:00:00Z","attempts_left":6,"unclear":[{"at":"2026-07-04T10:00:00Z","way":"tls 0","over":true},{}],"cause":{}}}}`,
		`{"plugs":{"AA-BB-CC-00-11-22":{"refused":[{"salt":"c2FsdA==","password":"AA==","cause":{}},null,{}],"tried":"9999-12-31T23:59:59Z"}}}`,
		`{"plugs":{"AA-BB-CC-00-11-22":{"cause":{},"unclear":[{}` + strings.Repeat(",{}", 50) + `],"refused":[{}` + strings.Repeat(",{}", 50) + `]}}}`,
		`{"plugs":{"AA-BB-CC-00-11-22":{"unclear":[{"at":"9999-12-31T23:59:59Z"},{"at":"0000-01-01T00:00:00Z"}],"cause":{},"unknown_outcomes":-1}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		s := load(stored, now)
		if wait := s.Next.Sub(now); wait > maxLock || (s.Wait == nil) != s.Next.IsZero() {
			t.Errorf("waits for %v, %v", wait, s.Wait)
		}
		for mac, p := range s.Plugs {
			if next, _ := s.crowded(madeUp(999), now); next.Sub(now) > plugsPeriod {
				t.Errorf("crowded until %v", next)
			}
			if next := p.Unclear.spentUntil(now); next.Sub(now) > day {
				t.Errorf("%s: unclear until %v", mac, next)
			}
			if len(p.Unclear) > maxUnclear+unclearPerDay || len(p.Rejected) > maxRejected {
				t.Errorf("%s: %d unclear, %d refused", mac, len(p.Unclear), len(p.Rejected))
			}
		}
		first := encode(s)
		if second := encode(load(first, now)); string(second) != string(first) {
			t.Errorf("stored %s, and then %s", first, second)
		}
		for later := now; later.Sub(now) <= 2*day; later = later.Add(day) {
			g := Guard{state: load(stored, now), busy: make(chan struct{}, 1)}
			g.Idle()
			g.Allow(mac, right, later)
			g.Record(mac, right, unclear(), Cause{}, later)
			g.Allow(mac, wrong, later)
			g.Record(mac, right, rejected(3), Cause{}, later)
			if g.Allow(mac, right, later) == nil {
				t.Error("allowed with three attempts left")
			}
			g.Succeeded(mac, later)
		}
	})
}
