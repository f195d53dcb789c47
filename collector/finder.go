// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

const (
	// searchTime is how long one search waits for replies.
	searchTime = 3 * time.Second
	// searchPause is how long after a search a probe waits before it begins another.
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

	outcomeOfLast string // how it went, in a word, or its error
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
	for woken := false; ; {
		select {
		case <-f.wake: // which this search answers
			woken = true
		default:
		}
		pause := time.Duration(1<<63 - 1) // until the configuration changes
		if c := f.store.Current(); c != nil && c.Searches() {
			now := time.Now()
			s := f.begin(ctx)
			select {
			case <-s.done:
			case <-ctx.Done():
				return
			}
			if pause = time.Until(s.started.Add(interval(c))); woken && s.started.Before(now) {
				pause = 0 // that one may have asked others
			}
		}
		timer := time.NewTimer(pause)
		woken = false
		select {
		case <-timer.C:
		case <-f.wake:
			woken = true
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
	err := discovery.Search{Addresses: c.Discovery.Addresses, Timeout: min(f.time, interval(c)), Logger: f.logger}.Run(ctx, f.note)
	c = f.store.Current()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report(ctx, c, err)
	for mac, p := range f.plugs {
		if p.settle(s.started); p.lost() && p.insists() {
			p.quiet = time.Now().Add(quietTime)
		}
		if age := time.Since(p.seen); age > forgetAfter || age > forgetUnread && !p.read {
			if !wanted(c, mac) {
				delete(f.plugs, mac)
			}
		}
	}
	f.search, f.ended = nil, time.Now()
	close(s.done)
	close(s.news)
}

// report logs how a search has gone, if that is news. f.mu is held.
func (f *finder) report(ctx context.Context, c *config.Config, err error) {
	outcome := "none"
	for _, p := range f.plugs {
		if p.at != "" {
			outcome = "found"
		}
	}
	if err != nil {
		outcome = err.Error()
	}
	if outcome == f.outcomeOfLast {
		return
	}
	f.outcomeOfLast = outcome
	switch {
	case err != nil:
		f.logger.WarnContext(ctx, "The network cannot be searched for plugs", "err", err)
	case outcome == "none":
		f.logger.WarnContext(ctx, "No plug has replied to the search", "asked", cmp.Or(strings.Join(c.Discovery.Addresses, " "), discovery.Broadcast),
			"again_in", interval(c), "advice", "A broadcast does not leave the network nor, usually, a container: see discovery.addresses in docs/configuration.md.")
	}
}

// note remembers where a plug has replied from.
func (f *finder) note(d discovery.Device) {
	c := f.store.Current()
	if !d.IsPlug() || !mayBeAt(c, d.Address) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.plugs[d.MAC] == nil {
		if len(f.plugs) >= maxPlugs && !wanted(c, d.MAC) && !f.forgetOne(c) {
			return
		}
		f.logger.Info("Plug discovered", "mac", d.MAC, "model", d.Model, "address", d.Address, "protocol", d.Protocol())
	}
	f.plug(d.MAC).reply(d, time.Now())
	if f.search != nil {
		close(f.search.news)
		f.search.news = make(chan struct{})
	}
}

// mayBeAt reports whether a plug may be at an address: on a local network, or
// where the configuration asks, and at a port that no other service has.
func mayBeAt(c *config.Config, at netip.AddrPort) bool {
	addr, port := at.Addr(), at.Port()
	local := addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() && addr != cloudMetadata
	asked := slices.ContainsFunc(c.Discovery.Addresses, func(a string) bool {
		to, err := discovery.ParseAddress(a)
		return err == nil && to.Addr() == addr
	})
	return (local || asked) && (port == 80 || port == 443 || port >= 1024)
}

// cloudMetadata is where clouds tell machines their secrets.
var cloudMetadata = netip.MustParseAddr("169.254.169.254")

// forgetOne makes room: of the plugs that nobody has listed or read, the one that
// has been silent for longest goes. f.mu is held.
func (f *finder) forgetOne(c *config.Config) bool {
	var oldest *found
	for mac, p := range f.plugs {
		if !p.read && !wanted(c, mac) && (oldest == nil || p.seen.Before(oldest.seen)) {
			oldest = p
		}
	}
	if oldest != nil {
		delete(f.plugs, oldest.mac)
	}
	return oldest != nil
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

// said returns what a plug has said of itself, and the address in use, which are
// empty if nothing is known.
func (f *finder) said(mac string) (d discovery.Device, at string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.plugs[mac]; p != nil {
		return p.device(), p.at
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
