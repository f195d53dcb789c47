// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package lockout decides when a login or a request may be tried
// (docs/protocols.md "Never locked out").
//
// There are three rules. Each is a type with a method that records an outcome, and one
// that allows the next try or does not. [Guard] is for plugs that count wrong logins: it
// never allows the same refused credentials again, and leaves the last attempts to the
// owner. [Backoff] delays logins to plugs that do not count. [Cooldown] delays all requests
// after HTTP status 429. The rules do no I/O, except that a Guard calls its [Store].
package lockout

import (
	"context"
	"fmt"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

const (
	// unclearWait is the delay after a login whose outcome is unclear.
	unclearWait = 30 * time.Second

	// spareAttempts is the number of attempts that are left to the owner.
	spareAttempts = 5

	// lockTime is the time without logins if a locked plug does not report how long its
	// lock lasts. It is 30 minutes on a camera; on plugs it is not known. maxLock is the
	// longest time that is accepted from a plug: anybody could have sent the reply, and
	// discover costs no attempt.
	lockTime = 30 * time.Minute
	maxLock  = 24 * time.Hour

	maxRejected = 20 // refused credentials that are kept per plug

	// plugsPerPeriod is how many plugs at one address may get a login that they count, in
	// plugsPeriod. A plug is known by the MAC address that it reports before the login. Anybody
	// can make one up, and may pass the login on to the true plug.
	plugsPerPeriod = 3
	plugsPeriod    = day
	// maxPlugs is how many plugs at one address are remembered. None is forgotten in favour of
	// another, since that might be made up; a further one is not tried. If all are the same
	// plug, it has had fewer wrong logins than lock it.
	maxPlugs = 9
)

// Locked is the reason in the [Cause] of a plug that has locked itself.
const Locked = "locked"

// Guard keeps the plugs at one address from locking themselves. A TPAP plug counts logins
// with a wrong password, and after 15 of them it locks itself, for its owner as well
// (python-kasa/python-kasa#1592). A Guard keeps which credentials a plug has refused and
// how many attempts it has reported, and allows no login that could lock it. A plug is
// identified by the MAC address that it reports before a login, in the form of
// [plug.ParseMAC], or "". There is one Guard per address, for all accounts and devices. It
// is safe for concurrent use. Its decisions about logins require [Guard.Acquire].
type Guard struct {
	// Cooldown is the cooldown of the address.
	Cooldown Cooldown

	address string
	store   Store
	busy    chan struct{} // holds an element during a login; guards what follows
	state   state
	saved   []byte // what the store has of it, as far as this guard knows
	proof   *proof // of the login under way, nil if none was sent
	trusted bool   // see LoggedIn
	proven  string // the MAC address of the last plug that has accepted a login, and proved that it knows the password
}

// Cause is the reason of a failed login, in words for users.
type Cause struct {
	Reason string `json:"reason"`
	Text   string `json:"text"`
	Advice string `json:"advice"`
}

// Denied is the reason why a login may not be tried.
type Denied struct {
	Cause        // of the last login
	Locked       bool
	AttemptsLeft int // -1 if the plug has reported none
}

// NewGuard returns the guard of an address, with the state that an earlier process has
// stored. store may be nil.
func NewGuard(address string, store Store) *Guard {
	g := &Guard{address: address, store: store, busy: make(chan struct{}, 1)}
	if store != nil {
		g.saved = store.Load(address)
		g.state = load(g.saved, time.Now())
	}
	return g
}

// Use records that a device reads a plug at the address, so that the store keeps the state.
// g need not have been acquired.
func (g *Guard) Use() {
	if g.store != nil {
		g.store.Load(g.address)
	}
}

// Idle reports whether no device has acquired the guard and it denies nothing, so that it
// can be dropped.
func (g *Guard) Idle() bool {
	select {
	case g.busy <- struct{}{}:
		defer g.Release()
		return (!g.state.Newer || g.store != nil) && g.state.over(time.Now()) && g.Cooldown.over(time.Now())
	default:
		return false
	}
}

// Acquire waits until no other device logs in to the plug. Release must follow.
func (g *Guard) Acquire(ctx context.Context) error {
	select {
	case g.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Release lets the next device log in.
func (g *Guard) Release() {
	if g.proof != nil && !g.proof.recorded { // it was not sent after all
		g.save()
	}
	g.proof = nil
	<-g.busy
}

// Newer reports whether a plug at the address has ever spoken a transport in which plugs
// prove that they know the account.
func (g *Guard) Newer() bool { return g.state.Newer }

// RecordNewer records that one has, for good. g must have been acquired.
func (g *Guard) RecordNewer(ctx context.Context, now time.Time) {
	if g.state.Newer {
		return
	}
	g.Refresh(ctx, now) // what another process has stored must not be replaced
	g.state.Newer = true
	g.save()
}

// Waiting returns the reason if no login is allowed for a while, whichever plug is at the
// address, and nil otherwise. g must have been acquired.
func (g *Guard) Waiting(now time.Time) *Denied {
	s := &g.state
	if !now.Before(s.Next) {
		return nil
	}
	at := s.Next.Format(time.RFC3339)
	d := &Denied{Locked: s.Wait.Reason == Locked, AttemptsLeft: -1}
	if d.Locked {
		return d.because(s.Wait, "not tried before "+at, "The next try is at "+at+".")
	}
	return d.because(s.Wait, "not tried again before "+at+", since the plug may have counted the last login", "The next try is at "+at+".")
}

func (d *Denied) because(why *Cause, text, advice string) *Denied {
	d.Text, d.Advice = text+": "+why.Text, why.Advice+" "+advice
	return d
}

// Allow returns nil if a login with c may be tried, on a plug that reports a MAC address
// and counts the login. Otherwise it returns the reason. g must have been acquired.
func (g *Guard) Allow(mac string, c plug.Credentials, now time.Time) *Denied {
	if d := g.Waiting(now); d != nil {
		return d
	}
	g.state.prune(now)
	if d := g.state.deny(c, maxUnclear, now); d != nil { // as an earlier version has stored
		return d
	}
	if p := g.state.Plugs[mac]; p != nil {
		unclear := maxUnclear
		if len(g.state.Plugs) > 1 && mac != g.proven { // the address may be made up
			unclear = 1
		}
		if d := p.deny(c, unclear, now); d != nil {
			return d
		}
	}
	next, crowded := g.state.crowded(mac, now)
	switch {
	case !crowded, mac == g.proven && mac != "":
		return nil
	case next.IsZero():
		return &Denied{AttemptsLeft: -1, Cause: Cause{
			Text: fmt.Sprintf("not tried: %d plugs with other MAC addresses have been tried at this address", maxPlugs),
			Advice: "Something on the network may make MAC addresses up. Look the plug's address up in the Tapo app; " +
				`"Never locked out" in docs/protocols.md says how to have the login tried.`,
		}}
	}
	at := next.Format(time.RFC3339)
	return &Denied{AttemptsLeft: -1, Cause: Cause{
		Text: fmt.Sprintf("not tried before %s: %d plugs with other MAC addresses have been tried at this address within a day", at, plugsPerPeriod),
		Advice: "Reserve the address for the plug in the router, and look the plug's address up in the Tapo app: something on the network may " +
			"make MAC addresses up. The next try is at " + at + ".",
	}}
}

// deny returns why no login with c may be tried on the plug, nil if it may. unclear is the
// number of logins in a row of which the outcome may be unclear.
func (p *plugState) deny(c plug.Credentials, unclear int, now time.Time) *Denied {
	d := &Denied{AttemptsLeft: -1}
	if p.AttemptsLeft != nil {
		d.AttemptsLeft = *p.AttemptsLeft
	}
	switch next := p.Unclear.spentUntil(now); {
	case p.Unclear.inARow() >= unclear:
		logins := "a login"
		if n := p.Unclear.inARow(); n > 1 {
			logins = fmt.Sprintf("%d logins in a row", n)
		}
		return d.because(p.Cause, "not tried again after "+logins+" of which the outcome is not known",
			`The plug may have counted each as a wrong password. Restart the plug; "Never locked out" in docs/protocols.md says how to have the `+
				"login tried again.")
	case !next.IsZero():
		at := next.Format(time.RFC3339)
		return d.because(p.Cause, fmt.Sprintf("not tried before %s: the outcome of %d logins within a day is not known", at, unclearPerDay),
			"Something on the network may try to guess the password, or the plug's Wi-Fi is bad: look the plug's address up in the Tapo app. The next try is at "+at+".")
	case p.AttemptsLeft != nil && *p.AttemptsLeft <= spareAttempts:
		return d.because(p.Cause, fmt.Sprintf("not tried again, with any credentials, since the plug has %d attempts left", *p.AttemptsLeft),
			"None of the attempts left is spent here, with whatever credentials. Look at the plug in the Tapo app on the same network, and "+
				`correct the credentials; "Never locked out" in docs/protocols.md says how to have them tried.`)
	}
	for _, rejected := range p.Rejected {
		if rejected.is(c) {
			return d.because(&rejected.Cause, "not tried again with the same credentials",
				`Correct the credentials and reload, which tries them once. If they are right by now, "Never locked out" in docs/protocols.md `+
					"says how to have them tried again.")
		}
	}
	return nil
}

// Record records a rejected login and its reason, if the plug may have counted it or is
// locked. A plug that is locked may not report its MAC address. g must have been acquired.
func (g *Guard) Record(mac string, c plug.Credentials, rejected *transport.Rejected, why Cause, now time.Time) {
	s := &g.state
	switch {
	case rejected.Verdict == transport.Locked:
		wait := rejected.Lock
		if wait <= 0 || rejected.OutcomeUnknown {
			wait = max(wait, lockTime)
		}
		s.delay(min(wait, maxLock), why, now)
		if !rejected.OutcomeUnknown { // another process learns it from the plug, at no cost
			return
		}
		g.recordAttempt(mac, c, rejected, why, now)
	case rejected.OutcomeUnknown:
		g.recordUnclear(mac, c, why, now)
	case !rejected.Counts:
		return
	default:
		g.recordAttempt(mac, c, rejected, why, now)
	}
	g.save()
}

// recordUnclear records a login of which the outcome is unclear.
func (g *Guard) recordUnclear(mac string, c plug.Credentials, why Cause, now time.Time) {
	g.state.delay(unclearWait, why, now)
	g.recordAttempt(mac, c, &transport.Rejected{OutcomeUnknown: true, AttemptsLeft: -1}, why, now)
}

// recordAttempt records an attempt that the plug counted, or may have counted.
func (g *Guard) recordAttempt(mac string, c plug.Credentials, rejected *transport.Rejected, why Cause, now time.Time) {
	p := g.state.plug(mac)
	p.Tried, p.Cause = now, &why
	p.spend()
	if rejected.OutcomeUnknown {
		p.Unclear = append(p.Unclear.prune(now), unclearLogin{At: now, Way: g.way()})
		return
	}
	p.Unclear.refused()
	if rejected.AttemptsLeft >= 0 {
		p.AttemptsLeft = new(rejected.AttemptsLeft)
	}
	p.Rejected = append(p.Rejected, &rejectedCredentials{newHashed(c, rejected.UsernameUnused, g.store != nil), why})
	p.Rejected = p.Rejected[max(0, len(p.Rejected)-maxRejected):]
}

// way is how the host wants the login under way.
func (g *Guard) way() string {
	if g.proof == nil {
		return ""
	}
	return g.proof.way
}

// LoggedIn records that a plug at the address has proved that it has the account.
func (g *Guard) LoggedIn() { g.trusted = true }

// Trusted reports whether one has, in this process. g must have been acquired.
func (g *Guard) Trusted() bool { return g.trusted }

// Succeeded records a login that the plug accepted, which resets the plug's count. Other
// credentials stay refused, and other plugs' records unchanged. g must have been acquired.
func (g *Guard) Succeeded(mac string, now time.Time) {
	g.proven = mac
	s := &g.state
	s.Next, s.Since, s.Wait = time.Time{}, time.Time{}, nil
	s.succeeded(g.way(), now)
	if p := s.Plugs[mac]; p != nil {
		p.succeeded(g.way(), now)
		if p.isEmpty() {
			delete(s.Plugs, mac)
		}
	}
	g.save()
}

// succeeded records a login that the plug accepted.
func (p *plugState) succeeded(way string, now time.Time) {
	p.AttemptsLeft = nil
	if p.Unclear = p.Unclear.succeeded(way, now); len(p.Unclear) == 0 {
		p.Cause = nil
	}
}
