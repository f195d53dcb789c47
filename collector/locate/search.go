// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"cmp"
	"context"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

// noSearchTime is how long probes do not search for a plug that replies from
// where it cannot be read.
const noSearchTime = 30 * time.Second

// search is one that is under way, or planned. Locator.mu guards it until it is done.
type search struct {
	begins  time.Time                      // or has begun
	done    chan struct{}                  // closed at its end
	reply   chan struct{}                  // closed, and replaced, at each reply that counts
	replied bool                           // some plug has
	listed  func(mac, address string) bool // by the configuration at its beginning
}

// Run searches regularly, as the current configuration says, until ctx ends.
func (l *Locator) Run(ctx context.Context) {
	select {
	case <-l.wake: // the first search is with the current configuration anyway
	default:
	}
	for early := false; ; {
		pause := time.Duration(math.MaxInt64) // until the configuration changes
		if c := l.opts.Store.Current(); c != nil && c.Searches() {
			asked := time.Now()
			s := l.startRegular(ctx, early)
			select {
			case <-s.done:
			case <-ctx.Done():
				return
			}
			pause = time.Until(s.begins.Add(interval(c)))
			if early && s.begins.Before(asked) {
				l.Wake() // that one may have asked other addresses
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
			early = false
		case <-l.wake:
			early = true
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

// Wake has the regular search done as soon as the rate of searches permits: the
// configuration has changed.
func (l *Locator) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// startRegular starts the regular search, or returns the one under way. One that is
// not due yet, because a reload asks for it, counts as another one.
func (l *Locator) startRegular(ctx context.Context, early bool) *search {
	l.mu.Lock()
	defer l.mu.Unlock()
	if early || l.search != nil {
		return l.requestSearch(ctx)
	}
	s := l.planned
	if s == nil {
		s = newSearch()
	}
	l.begin(ctx, s)
	return s
}

// askForSearch asks for a search beside the regular ones. It returns the one under
// way or the next one.
func (l *Locator) askForSearch(ctx context.Context) *search {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requestSearch(ctx)
}

// requestSearch is askForSearch while l.mu is held. Searches that are not regular have
// a rate, whoever asks for them and how often: each makes every device of the network
// reply.
func (l *Locator) requestSearch(ctx context.Context) *search {
	if l.search != nil {
		return l.search
	}
	if l.planned != nil {
		return l.planned
	}
	s, now := newSearch(), time.Now()
	s.begins = l.lastExtra.Add(l.opts.SearchPause)
	wait := s.begins.Sub(now)
	if wait <= 0 {
		l.lastExtra = now
		l.begin(ctx, s)
		return s
	}
	l.planned = s
	time.AfterFunc(wait, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.planned == s { // the regular search has not taken its place
			l.lastExtra = time.Now()
			l.begin(ctx, s)
		}
	})
	return s
}

func newSearch() *search {
	return &search{done: make(chan struct{}), reply: make(chan struct{})}
}

// begin begins a search. None is under way. l.mu is held.
func (l *Locator) begin(ctx context.Context, s *search) {
	c := l.opts.Store.Current()
	s.begins, s.listed = time.Now(), l.listed(c)
	l.search, l.planned = s, nil
	l.forget(c)
	l.newcomers, l.crowded, l.madeRoom = 0, false, false
	for _, u := range l.unread {
		if u.readAt.IsZero() {
			l.newcomers++ // it competes with those that reply now
		}
	}
	go l.runSearch(context.WithoutCancel(ctx), s)
}

func (l *Locator) runSearch(ctx context.Context, s *search) {
	c := l.opts.Store.Current()
	err := l.searchNetwork(discovery.Search{Addresses: c.Discovery.Addresses, Timeout: min(l.opts.SearchTime, interval(c)), Logger: l.opts.Logger}, ctx, l.RecordReply)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reportSearch(ctx, l.opts.Store.Current(), s, err)
	l.news.summarize(ctx, l.opts.Logger)
	for _, p := range l.plugs {
		if p.leaveSilentAddress(s.begins); p.failedAtAddress() && p.repliedSinceFailure() {
			p.noSearchBefore = time.Now().Add(noSearchTime)
		}
	}
	l.search = nil
	close(s.done)
	close(s.reply)
	select {
	case l.ended <- struct{}{}:
	default:
	}
}

// reportSearch logs how a search has gone, if that differs from the last one. l.mu
// is held.
func (l *Locator) reportSearch(ctx context.Context, c *config.Config, s *search, err error) {
	const anyPlug, noPlug = "found", "none"
	report := noPlug
	for _, p := range l.plugs {
		if p.address != "" {
			report = anyPlug
		}
	}
	if s.replied {
		report = anyPlug
	}
	if err != nil {
		report = err.Error()
	}
	if report == l.lastReport {
		return
	}
	l.lastReport = report
	switch {
	case err != nil:
		l.opts.Logger.WarnContext(ctx, "The network cannot be searched for plugs", "err", err)
	case report == noPlug:
		l.opts.Logger.WarnContext(ctx, "No plug has replied to the search", "asked", cmp.Or(strings.Join(c.Discovery.Addresses, " "), discovery.Broadcast),
			"again_in", interval(c), "advice", "A broadcast does not leave the network nor, usually, a container: see discovery.addresses in docs/configuration.md.")
	}
}

// RecordReply keeps where a plug has replied from.
func (l *Locator) RecordReply(d discovery.Device) {
	c := l.opts.Store.Current()
	if !d.IsPlug() || !mayBeAt(c, d.Address) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.search != nil {
		l.search.replied = true
	}
	p := l.plug(c, d.MAC)
	if (p == nil || p.address == "") && l.news.take(d.MAC, maxFound) {
		l.opts.Logger.Info("Plug discovered",
			"mac", d.MAC, "model", cmp.Or(d.Model, "unknown"), "address", d.Address, "protocol", cmp.Or(d.Protocol(), "unknown"))
	}
	if p == nil {
		l.recordUnread(c, d, time.Now())
		return
	}
	p.recordReply(d, time.Now())
	if l.search != nil {
		close(l.search.reply)
		l.search.reply = make(chan struct{})
	}
}

// cloudMetadata is where clouds give machines their secrets.
var cloudMetadata = netip.MustParseAddr("169.254.169.254")

// mayBeAt reports whether a plug may be at an address: on a local network, or
// where the configuration asks, and at a port that no other service has.
func mayBeAt(c *config.Config, at netip.AddrPort) bool {
	addr, port := at.Addr(), at.Port()
	local := addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() && addr != cloudMetadata
	asked := func() bool {
		return slices.ContainsFunc(c.Discovery.Addresses, func(a string) bool {
			to, err := discovery.ParseAddress(a)
			return err == nil && to.Addr() == addr
		})
	}
	return (local || asked()) && (port == 80 || port == 443 || port >= 1024)
}
