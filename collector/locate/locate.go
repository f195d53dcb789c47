// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package locate knows where plugs are that have no address in the
// configuration: those that are listed by their MAC address, and those that
// discovery adds.
//
// It searches for them regularly, and when a probe cannot find one. Addresses
// come from replies that anybody can send, so an address from which a plug has
// replied is a candidate: only a read proves that the plug is there. What replies
// can cause is bounded: a discovered plug is a target once it was read, few
// candidates wait for a read, searches have a rate, and so have lines in the log.
package locate

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

const (
	// searchGrace is how long a probe of a plug that could not be read waits for the
	// search under way before it tries the last address again.
	searchGrace = time.Second
	// minRetryTime is what must be left of a probe for another read, at another
	// address.
	minRetryTime = time.Second
)

// Options configures a [Locator].
type Options struct {
	Store  *config.Store
	Logger *slog.Logger
	// ReadMAC returns the MAC address that the plug of a listed target had when it
	// was read, "" if it never was.
	ReadMAC func(config.Target) string
	// SearchTime is how long one search waits for replies; 0 means 3 seconds.
	SearchTime time.Duration
	// SearchPause is the time between two searches beside the regular ones, which
	// probes and reloads ask for; 0 means 10 seconds.
	SearchPause time.Duration
}

// Locator knows where plugs are. Its methods are safe for concurrent use. It is a
// Prometheus collector of the exporter's metrics about discovery.
type Locator struct {
	opts Options
	wake chan struct{} // holds a token when the regular search is to be done now

	// ended holds a token when a search has ended.
	ended chan struct{}
	// searchNetwork is discovery's, except in tests.
	searchNetwork func(discovery.Search, context.Context, func(discovery.Device)) error

	mu         sync.Mutex
	plugs      map[string]*knownPlug // by MAC: those that are listed or were read
	search     *search               // under way, or nil
	planned    *search               // to begin once the rate permits, or nil
	lastExtra  time.Time             // when the last search that was not regular began
	lastReport string                // what was logged about a search
	news       news

	unread        map[unreadKey]*unread // see unread.go
	newcomers     int                   // in this search: replies that might have become unread candidates
	crowded       bool                  // in this search: some found no room
	madeRoom      bool                  // since then, some were read
	failures      int                   // reads of unread candidates since failuresSince that have not succeeded
	failuresSince time.Time
}

// New returns a locator that knows no plug.
func New(opts Options) *Locator {
	if opts.SearchTime == 0 {
		opts.SearchTime = 3 * time.Second
	}
	if opts.SearchPause == 0 {
		opts.SearchPause = 10 * time.Second
	}
	return &Locator{
		opts: opts, wake: make(chan struct{}, 1), ended: make(chan struct{}, 1), searchNetwork: discovery.Search.Run,
		plugs: map[string]*knownPlug{}, unread: map[unreadKey]*unread{}, news: news{seen: map[string]time.Time{}},
	}
}

// SearchEnded has a value when a search has ended, so that there may be something
// for [Locator.NextUnread].
func (l *Locator) SearchEnded() <-chan struct{} { return l.ended }

// Read has read called with the address of a target's plug: where it was last or,
// if it is not there, where it has moved. A target that has both a MAC address
// and an address is read there and nowhere else. The error says that the plug is
// nowhere; read has not been called then.
func (l *Locator) Read(ctx context.Context, t config.Target, read func(config.Target) (tapo.Reading, *tapo.Error)) *tapo.Error {
	switch {
	case t.MAC == "":
		_, _ = read(t)
		return nil
	case t.Address != "":
		reading, err := read(t)
		l.recordRead(ctx, t, reading, err)
		return nil
	}
	for range 2 {
		located, notFound := l.locate(ctx, t)
		if notFound != nil {
			return notFound
		}
		reading, err := read(located)
		p, searchable := l.recordRead(ctx, located, reading, err)
		if !searchable || !l.hasMoved(ctx, p, located.Address) {
			return nil
		}
	}
	return nil
}

// locate gives a target of a MAC its address. A plug that has not replied yet is
// searched for. If the last read at its address has failed, the search under way
// is given a moment.
func (l *Locator) locate(ctx context.Context, t config.Target) (config.Target, *tapo.Error) {
	l.mu.Lock()
	p, searching := l.plug(l.opts.Store.Current(), t.MAC), l.search != nil
	if p == nil { // it has been forgotten
		l.mu.Unlock()
		return t, tapo.NotFound(t.MAC)
	}
	address, failed := p.address, p.failedAtAddress()
	l.mu.Unlock()
	switch {
	case address == "":
		address = l.waitForAddress(ctx, p, "")
	case failed && searching:
		waiting, cancel := context.WithTimeout(ctx, searchGrace)
		address = l.waitForAddress(waiting, p, address)
		cancel()
	}
	if address == "" {
		return t, l.recordNotFound(ctx, p, t)
	}
	t.Address, t.Located = address, !t.Unlisted
	return t, nil
}

// hasMoved has a plug searched for that could not be read at an address. It
// reports whether the plug is elsewhere and there is time to read it there.
func (l *Locator) hasMoved(ctx context.Context, p *knownPlug, address string) bool {
	end, bounded := ctx.Deadline()
	if bounded && time.Until(end) < minRetryTime {
		l.askForSearch(ctx) // for the next probe
		return false
	}
	return l.waitForAddress(ctx, p, address) != address && (!bounded || time.Until(end) > minRetryTime)
}

// waitForAddress searches for a plug. It returns the plug's address once that
// differs from old, or the plug has replied from old since it could not be read
// there, or ctx ends, or a search has ended that began after this call. It does not
// wait for a search that begins after ctx has ended.
func (l *Locator) waitForAddress(ctx context.Context, p *knownPlug, old string) string {
	called := time.Now()
	end, bounded := ctx.Deadline()
	for s := l.askForSearch(ctx); ; {
		l.mu.Lock()
		address, reply, begins, confirmed := p.address, s.reply, s.begins, old != "" && p.repliedSinceFailure()
		l.mu.Unlock()
		if address != old || confirmed {
			return address
		}
		if bounded && begins.After(end) {
			return old
		}
		select {
		case <-reply:
		case <-ctx.Done():
			return old
		case <-s.done:
			if !s.begins.Before(called) {
				return l.Address(p.mac)
			}
			s = l.askForSearch(ctx) // the last one may have sent its packets too early
		}
	}
}

// recordRead keeps how reading a plug at an address went, and reports whether it
// is to be searched for.
func (l *Locator) recordRead(ctx context.Context, t config.Target, reading tapo.Reading, err *tapo.Error) (p *knownPlug, searchable bool) {
	c := l.opts.Store.Current()
	l.mu.Lock()
	defer l.mu.Unlock()
	if p = l.plug(c, t.MAC); p == nil {
		l.recordFirstRead(ctx, c, t, reading, err)
		return nil, false
	}
	delete(l.unread, unreadKey{t.MAC, t.Address}) // the plug became known while it was read
	if err == nil {
		p.recordSuccess(t, reading)
		return p, false
	}
	if !mayHaveMoved(err.Reason) {
		return p, false
	}
	if c := p.candidates[t.Address]; c != nil {
		c.failedAt = time.Now()
	}
	return p, !time.Now().Before(p.noSearchBefore)
}

// mayHaveMoved reports whether a plug that fails so may be somewhere else, and
// something else at its address.
func mayHaveMoved(r tapo.Reason) bool {
	return r != tapo.SessionStolen && r != tapo.PlugError
}

// recordNotFound keeps that a target's plug has not replied, and logs it the first
// time.
func (l *Locator) recordNotFound(ctx context.Context, p *knownPlug, t config.Target) *tapo.Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := tapo.NotFound(t.MAC)
	if !p.notFound {
		p.notFound = true
		l.opts.Logger.WarnContext(ctx, "Plug cannot be found", "target", t.Name, "reason", err.Reason, "err", err.Err, "advice", err.Advice)
	}
	return err
}

// NotFound returns an error if the last probe of a target has not found its plug,
// and no reply has come since.
func (l *Locator) NotFound(t config.Target) *tapo.Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.plugs[t.MAC]; p != nil && p.notFound && p.address == "" {
		return tapo.NotFound(t.MAC)
	}
	return nil
}

// Advertised returns what the plug with a MAC has replied from its address, empty
// before the first reply.
func (l *Locator) Advertised(mac string) discovery.Device {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.plugs[mac]; p != nil {
		return p.advertised()
	}
	return discovery.Device{}
}

// Address returns where the plug with a MAC is, "" before its first reply.
func (l *Locator) Address(mac string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.plugs[mac]; p != nil {
		return p.address
	}
	return ""
}
