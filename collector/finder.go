// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

const (
	// searchTime is how long one search waits for replies.
	searchTime = 3 * time.Second
	// searchPause is the shortest time between searches.
	searchPause = 2 * time.Second
	// newsTime is how long a probe of a lost plug waits for the search under way
	// before it tries the last address again.
	newsTime = time.Second
	// quietTime is without searches for a plug that replies from where it cannot be
	// read.
	quietTime = 30 * time.Second
	// forgetAfter is how long a plug is remembered that no longer replies, and
	// forgetUnread the same for one that could never be read.
	forgetAfter  = 24 * time.Hour
	forgetUnread = time.Hour
	// maxPlugs and maxPlaces bound what is remembered: anybody may make up replies.
	maxPlugs  = 500
	maxPlaces = 4
	// worthAnother is the time that must be left of a probe for another try, at
	// another address.
	worthAnother = time.Second
)

// finder knows where plugs are whose addresses nobody has listed. It searches
// for them now and then, and when a probe cannot find one. Its methods are safe
// for concurrent use. What it knows comes from strangers, so that only reading a
// plug proves that it is there.
type finder struct {
	store  *config.Store
	logger *slog.Logger
	wake   chan struct{} // holds a token when the regular search is to be done now
	time   time.Duration // of a search
	pause  time.Duration // between searches, at least

	mu     sync.Mutex
	plugs  map[string]*found // by MAC
	search *search           // under way, or nil
	ended  time.Time         // of the last one
}

// search is one that is under way.
type search struct {
	started time.Time
	done    chan struct{} // closed at its end
	news    chan struct{} // closed, and replaced, when a plug is found somewhere
}

func newFinder(store *config.Store, logger *slog.Logger) *finder {
	return &finder{store: store, logger: logger, wake: make(chan struct{}, 1), time: searchTime, pause: searchPause, plugs: map[string]*found{}}
}

// run searches regularly, as the configuration of the day says, until ctx ends.
func (f *finder) run(ctx context.Context) {
	for {
		select {
		case <-f.wake: // which this search answers
		default:
		}
		pause := time.Duration(1<<63 - 1) // until the configuration changes
		if c := f.store.Current(); c != nil && c.Searches() {
			s := f.begin(ctx)
			select {
			case <-s.done:
			case <-ctx.Done():
				return
			}
			pause = time.Until(s.started.Add(interval(c)))
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-f.wake:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// interval is the time between regular searches.
func interval(c *config.Config) time.Duration {
	return cmp.Or(c.Discovery.Interval, config.DefaultInterval)
}

// changed has the regular search done at once, for another configuration.
func (f *finder) changed() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// begin starts a search, or returns the one under way.
func (f *finder) begin(ctx context.Context) *search {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.search == nil {
		f.search = &search{started: time.Now(), done: make(chan struct{}), news: make(chan struct{})}
		go f.look(context.WithoutCancel(ctx), f.search)
	}
	return f.search
}

// look does a search.
func (f *finder) look(ctx context.Context, s *search) {
	c := f.store.Current()
	err := discovery.Search{Addresses: c.Discovery.Addresses, Timeout: f.time, Logger: f.logger}.Run(ctx, f.note)
	if err != nil {
		f.logger.WarnContext(ctx, "The network cannot be searched for plugs", "err", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for mac, p := range f.plugs {
		if p.settle(s.started); p.lost() && p.insists() {
			p.quiet = time.Now().Add(quietTime)
		}
		if age := time.Since(p.seen); age > forgetAfter || age > forgetUnread && !p.proven && p.name == "" {
			if !wanted(c, mac) {
				delete(f.plugs, mac)
			}
		}
	}
	f.search, f.ended = nil, time.Now()
	close(s.done)
	close(s.news)
}

// note remembers where a plug has replied from.
func (f *finder) note(d discovery.Device) {
	if !d.IsPlug() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.plugs[d.MAC]
	if p == nil {
		if len(f.plugs) >= maxPlugs && !wanted(f.store.Current(), d.MAC) {
			return
		}
		p = f.plug(d.MAC)
		f.logger.Info("Plug discovered", "mac", d.MAC, "model", d.Model, "address", d.Address, "protocol", d.Protocol())
	}
	now, at := time.Now(), d.Address.String()
	if p.places[at] == nil {
		p.dropPlace()
		p.places[at] = &place{}
	}
	p.places[at].seen, p.seen = now, now
	if p.at == "" || p.at == at || !p.proven && p.places[p.at] != nil && !p.places[p.at].failed.IsZero() && p.places[at].failed.IsZero() {
		if p.at != at {
			p.move(at)
		}
		p.device = d
	}
	if f.search != nil {
		close(f.search.news)
		f.search.news = make(chan struct{})
	}
}

// plug returns the plug with a MAC, a new one if it has never replied. f.mu is
// held.
func (f *finder) plug(mac string) *found {
	p := f.plugs[mac]
	if p == nil {
		p = &found{mac: mac, places: map[string]*place{}, first: time.Now()}
		f.plugs[mac] = p
	}
	return p
}

// wanted reports whether the configuration lists a MAC.
func wanted(c *config.Config, mac string) bool {
	for _, t := range c.Targets {
		if t.MAC == mac {
			return true
		}
	}
	return false
}

// locate completes a target that has no address. Where the plug has not replied
// yet it is searched for; where it was not at its last address, the search under
// way is given a moment.
func (f *finder) locate(ctx context.Context, t config.Target) (config.Target, *tapo.Error) {
	if t.MAC == "" {
		return t, nil
	}
	f.mu.Lock()
	p, s := f.plug(t.MAC), f.search
	at, lost := p.at, p.lost()
	f.mu.Unlock()
	switch {
	case at == "":
		at = f.await(ctx, p, "")
	case lost && s != nil:
		waiting, cancel := context.WithTimeout(ctx, newsTime)
		at = f.await(waiting, p, at)
		cancel()
	}
	if at == "" {
		return t, f.miss(ctx, t)
	}
	t.Address = at
	return t, nil
}

// await has the plug searched for, and returns its address once that is another
// one than old, or the plug insists on being there, or ctx ends, or a search has
// ended that began after await, at most. A search is not begun right after another.
func (f *finder) await(ctx context.Context, p *found, old string) (at string) {
	f.mu.Lock()
	pause := time.NewTimer(time.Until(f.ended.Add(f.pause)))
	entered, searching := time.Now(), f.search != nil
	f.mu.Unlock()
	defer pause.Stop()
	if !searching {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return old
		}
	}
	for s := f.begin(ctx); ; {
		f.mu.Lock()
		at, news, insists := p.at, s.news, old != "" && p.insists()
		f.mu.Unlock()
		if at != old || insists {
			return at
		}
		select {
		case <-news:
		case <-ctx.Done():
			return old
		case <-s.done:
			if !s.started.Before(entered) {
				return f.address(p.mac)
			}
			s = f.begin(ctx) // that one may have asked too early
		}
	}
}

// miss notes that a target's plug has not replied, and logs it if that is news.
func (f *finder) miss(ctx context.Context, t config.Target) *tapo.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := notFound(t.MAC, nil)
	if p := f.plug(t.MAC); !p.missed {
		p.missed = true
		f.logger.WarnContext(ctx, "Plug cannot be found", "target", t.Name, "reason", err.Reason, "err", err.Err, "advice", err.Advice)
	}
	return err
}

// state completes what is known of a target with that its plug cannot be found.
func (f *finder) state(t config.Target, known State) State {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.plugs[t.MAC]; p != nil && p.missed && p.at == "" {
		known.Err = notFound(t.MAC, nil)
	}
	return known
}

func notFound(mac string, err error) *tapo.Error {
	return &tapo.Error{
		Reason: tapo.Unreachable, Err: errors.Join(errors.New("no plug with the MAC address "+mac+" has replied to the search"), err),
		Advice: "Check that the plug has power and Wi-Fi, and its MAC address in the Tapo app. The search is a broadcast, which does not leave the local network " +
			"nor, usually, a container: see discovery.addresses in docs/configuration.md, or list the plug with its address.",
	}
}

// outcome notes how reading a plug at an address went. If the plug may have
// moved, it is searched for; again says that it has been found elsewhere and
// that there is time to read it there.
func (f *finder) outcome(ctx context.Context, t config.Target, r Result) (again bool) {
	f.mu.Lock()
	p := f.plug(t.MAC)
	p.tried = true
	here := p.places[t.Address]
	if r.Err == nil {
		p.rename(r.Reading.Info.Name)
		p.proven, p.missed, p.quiet = p.proven || p.at == t.Address, false, time.Time{}
		if here != nil {
			here.failed = time.Time{}
		}
	} else if mayHaveMoved(r.Err.Reason) {
		if here != nil {
			here.failed = time.Now()
		}
		p.proven = p.proven && p.at != t.Address
	}
	quiet := time.Now().Before(p.quiet)
	f.mu.Unlock()
	if quiet || r.Err == nil || !mayHaveMoved(r.Err.Reason) {
		return false
	}
	if end, bounded := ctx.Deadline(); bounded && time.Until(end) < worthAnother {
		f.begin(ctx) // for the next probe
		return false
	}
	at := f.await(ctx, p, t.Address)
	end, bounded := ctx.Deadline()
	return at != t.Address && (!bounded || time.Until(end) > worthAnother)
}

// mayHaveMoved reports whether a plug that fails so may be somewhere else, and
// something else at its address.
func mayHaveMoved(r tapo.Reason) bool {
	switch r {
	case tapo.LoginBackoff, tapo.Locked, tapo.SessionStolen, tapo.PlugError:
		return false
	}
	return true
}

// said returns what a plug has said of itself, and the address in use, which are
// empty if nothing is known.
func (f *finder) said(mac string) (d discovery.Device, at string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.plugs[mac]; p != nil {
		return p.device, p.at
	}
	return discovery.Device{}, ""
}

// address returns where a plug is, "" if that is not known.
func (f *finder) address(mac string) string {
	_, at := f.said(mac)
	return at
}

// isAt reports whether an address, with or without the port of plugs, is a
// plug's.
func isAt(at, asked string) bool {
	address, err := tapo.ParseAddress(asked)
	if err != nil || at == "" {
		return false
	}
	if at == address {
		return true
	}
	ip, err := netip.ParseAddr(asked) // without a port it is whichever the plug announces
	return err == nil && netip.MustParseAddrPort(at).Addr() == ip.Unmap()
}
