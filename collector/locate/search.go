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

// search is one that is under way.
type search struct {
	started time.Time
	done    chan struct{} // closed at its end
	reply   chan struct{} // closed, and replaced, at each reply
}

// Run searches regularly, as the current configuration says, until ctx ends.
func (l *Locator) Run(ctx context.Context) {
	for woken := false; ; {
		select {
		case <-l.wake: // the search that begins now is with the new configuration
			woken = true
		default:
		}
		pause := time.Duration(math.MaxInt64) // until the configuration changes
		if c := l.opts.Store.Current(); c != nil && c.Searches() {
			now := time.Now()
			s := l.startSearch(ctx)
			select {
			case <-s.done:
			case <-ctx.Done():
				return
			}
			if pause = time.Until(s.started.Add(interval(c))); woken && s.started.Before(now) {
				pause = 0 // that one may have asked other addresses
			}
		}
		timer := time.NewTimer(pause)
		woken = false
		select {
		case <-timer.C:
		case <-l.wake:
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

// Wake has the regular search done at once: the configuration has changed.
func (l *Locator) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// startSearch starts a search, or returns the one under way.
func (l *Locator) startSearch(ctx context.Context) *search {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.search == nil {
		l.search = &search{started: time.Now(), done: make(chan struct{}), reply: make(chan struct{})}
		go l.runSearch(context.WithoutCancel(ctx), l.search)
	}
	return l.search
}

func (l *Locator) runSearch(ctx context.Context, s *search) {
	c := l.opts.Store.Current()
	err := discovery.Search{Addresses: c.Discovery.Addresses, Timeout: min(l.opts.SearchTime, interval(c)), Logger: l.opts.Logger}.Run(ctx, l.RecordReply)
	c = l.opts.Store.Current()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reportSearch(ctx, c, err)
	for _, p := range l.plugs {
		if p.leaveSilentAddress(s.started); p.failedAtAddress() && p.repliedSinceFailure() {
			p.noSearchBefore = time.Now().Add(noSearchTime)
		}
	}
	l.forgetSilent(c)
	l.search, l.lastEnd = nil, time.Now()
	close(s.done)
	close(s.reply)
}

// reportSearch logs how a search has gone, if that differs from the last one. l.mu
// is held.
func (l *Locator) reportSearch(ctx context.Context, c *config.Config, err error) {
	const anyPlug, noPlug = "found", "none"
	report := noPlug
	for _, p := range l.plugs {
		if p.address != "" {
			report = anyPlug
		}
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
	if l.plugs[d.MAC] == nil {
		if !l.hasRoomFor(c, d.MAC) {
			return
		}
		l.opts.Logger.Info("Plug discovered", "mac", d.MAC, "model", cmp.Or(d.Model, "unknown"), "address", d.Address, "protocol", cmp.Or(d.Protocol(), "unknown"))
	}
	l.plug(d.MAC).recordReply(d, time.Now())
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
	asked := slices.ContainsFunc(c.Discovery.Addresses, func(a string) bool {
		to, err := discovery.ParseAddress(a)
		return err == nil && to.Addr() == addr
	})
	return (local || asked) && (port == 80 || port == 443 || port >= 1024)
}
