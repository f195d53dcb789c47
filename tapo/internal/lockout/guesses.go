// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// Budget is how many logins of an account may be rejected or unclear in a day, at all
// addresses that nobody listed.
type Budget struct {
	PerDay int
	Key    string // in a [Store], which is no address
}

// The budgets. Over TPAP, plugs count rejected logins. Over KLAP they do not, and other
// people's plugs are common. There the host gets to know whether its guess was right only if
// it knows the account's e-mail address, too.
var (
	Counted   = Budget{10, "unlisted"}
	Uncounted = Budget{100, "unlisted, not counted"}
)

// Guesses is the budget of logins to plugs that nobody listed. Whoever answers at such an
// address may try one guess of the password for each login (RFC 9383), and there may be any
// number of such addresses. There is one Guesses for all of them. It is safe for concurrent
// use.
type Guesses struct {
	budget Budget
	store  Store // may be nil

	mu       sync.Mutex
	saved    []byte // what the store has of it
	accounts []*account
	returned chan struct{} // closed, and replaced, whenever a guess is returned
}

// account has the guesses that were spent with the credentials of an account.
type account struct {
	hashedCredentials
	Spent []time.Time `json:"spent"` // the oldest first; those under way included

	underWay int
}

// NewGuesses returns what is left of a budget after what an earlier process has stored.
// store may be nil.
func NewGuesses(budget Budget, store Store) *Guesses {
	g := &Guesses{budget: budget, store: store, returned: make(chan struct{})}
	g.refresh()
	return g
}

// Guess is a login that counts as a guess until it is returned.
type Guess struct {
	of *Guesses
	by *account
	at time.Time
}

// Take spends a guess for a login with c, and stores that. If all are spent it returns the
// reason. If some of them are of logins under way, it waits for their outcomes; the error is
// that of ctx.
func (g *Guesses) Take(ctx context.Context, c plug.Credentials, clock func() time.Time) (*Guess, *Denied, error) {
	for {
		guess, denied, wait := g.take(c, clock)
		if wait == nil {
			return guess, denied, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// take is Take without waiting: wait is not nil if that is to be done.
func (g *Guesses) take(c plug.Credentials, clock func() time.Time) (guess *Guess, denied *Denied, wait <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := clock() // not before those of other logins, unless the clock has been set
	g.refresh()
	g.prune(now)
	a := g.account(c)
	switch {
	case len(a.Spent) < g.budget.PerDay:
		a.Spent = append(a.Spent, now)
		a.underWay++
		g.save()
		return &Guess{g, a, now}, nil, nil
	case a.underWay > 0:
		return nil, nil, g.returned
	}
	at := a.Spent[len(a.Spent)-g.budget.PerDay].Add(day).Format(time.RFC3339)
	return nil, &Denied{AttemptsLeft: -1, Cause: Cause{
		Text: fmt.Sprintf("not tried before %s: %d logins at addresses that are not in the configuration were rejected or had no outcome within a day", at, g.budget.PerDay),
		Advice: "Each of them may have been a guess of the password by something that poses as a plug. List this plug with its address in targets.yml, which has it tried. " +
			"Otherwise the next try is at " + at + ".",
	}}, nil
}

// End ends the login. spent is true if it was rejected, or its outcome is not known.
func (guess *Guess) End(spent bool) {
	g := guess.of
	g.mu.Lock()
	defer g.mu.Unlock()
	guess.by.underWay--
	if !spent {
		g.refresh()
		if i := slices.IndexFunc(guess.by.Spent, guess.at.Equal); i >= 0 {
			guess.by.Spent = slices.Delete(guess.by.Spent, i, i+1)
		}
		g.save()
	}
	close(g.returned)
	g.returned = make(chan struct{})
}

// account returns the account with the credentials c. g.mu is held.
func (g *Guesses) account(c plug.Credentials) *account {
	for _, a := range g.accounts {
		if a.is(c) {
			return a
		}
	}
	a := &account{hashedCredentials: newHashed(c, false, g.store != nil)}
	g.accounts = append(g.accounts, a)
	return a
}

// prune forgets guesses that are older than a day, and accounts without any, but for those
// of this process: hashing one takes long, and each login would. g.mu is held.
func (g *Guesses) prune(now time.Time) {
	g.accounts = slices.DeleteFunc(g.accounts, func(a *account) bool {
		for i, at := range a.Spent {
			if at.After(now) { // the clock has been set
				a.Spent[i] = now
			}
		}
		a.Spent = slices.DeleteFunc(a.Spent, func(at time.Time) bool { return now.Sub(at) >= day })
		return len(a.Spent) == 0 && a.underWay == 0 && a.of == nil
	})
}

// refresh takes over what other processes have stored. g.mu is held.
func (g *Guesses) refresh() {
	if g.store == nil {
		return
	}
	stored := g.store.Load(g.budget.Key)
	if stored == nil || sameJSON(stored, g.saved) {
		return
	}
	g.saved = stored
	var accounts []*account
	_ = json.Unmarshal(stored, &accounts) // a damaged one is none
	accounts = slices.DeleteFunc(accounts, func(a *account) bool { return a == nil || a.Salt == nil })
	for _, a := range accounts[max(0, len(accounts)-maxRejected):] {
		slices.SortFunc(a.Spent, time.Time.Compare)
		a.Spent = a.Spent[max(0, len(a.Spent)-g.budget.PerDay):]
		g.merge(a)
	}
}

// merge takes over the guesses that another process has stored of an account. g.mu is held.
func (g *Guesses) merge(stored *account) {
	for _, a := range g.accounts {
		if string(a.Salt) == string(stored.Salt) {
			a.Spent = stored.Spent
			return
		}
	}
	g.accounts = append(g.accounts, stored)
}

// save stores the accounts. g.mu is held.
func (g *Guesses) save() {
	if g.store == nil {
		return
	}
	g.saved = nil
	if spent := slices.DeleteFunc(slices.Clone(g.accounts), func(a *account) bool { return len(a.Spent) == 0 }); len(spent) > 0 {
		data, err := json.Marshal(spent)
		if err != nil {
			panic(err) // accounts have hashes and times only
		}
		g.saved = data
	}
	g.store.Save(g.budget.Key, g.saved)
}
