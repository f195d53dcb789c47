// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"time"

	"github.com/tapo-exporter/tapo_exporter/collector/sessions"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// locate gives a target of a MAC its address. Where the plug has not replied yet
// it is searched for; where it was not at its last address, the search under
// way is given a moment.
func (f *finder) locate(ctx context.Context, t config.Target) (config.Target, *tapo.Error) {
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
// ended that began after await, at most.
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
	err := tapo.NotFound(t.MAC)
	if p := f.plug(t.MAC); !p.missed {
		p.missed = true
		f.logger.WarnContext(ctx, "Plug cannot be found", "target", t.Name, "reason", err.Reason, "err", err.Err, "advice", err.Advice)
	}
	return err
}

// state completes what is known of a target with that its plug cannot be found.
func (f *finder) state(t config.Target, known sessions.State) sessions.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.plugs[t.MAC]; p != nil && p.missed && p.at == "" {
		known.Err = tapo.NotFound(t.MAC)
	}
	return known
}

// outcome notes how reading a plug at an address went. If the plug may have
// moved, it is searched for; again says that it has been found elsewhere and
// that there is time to read it there.
func (f *finder) outcome(ctx context.Context, t config.Target, r sessions.Result) (again bool) {
	p, lost := f.record(ctx, t, r)
	if !lost {
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

// record notes how reading a plug at an address went, and reports whether it is to
// be searched for.
func (f *finder) record(ctx context.Context, t config.Target, r sessions.Result) (p *found, lost bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p = f.plug(t.MAC)
	p.tried = p.tried || r.Err == nil || ctx.Err() == nil
	here := p.places[t.Address]
	if r.Err == nil {
		p.rename(r.Reading.Info.Name)
		p.read = true
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
	return p, r.Err != nil && mayHaveMoved(r.Err.Reason) && !time.Now().Before(p.quiet)
}

// mayHaveMoved reports whether a plug that fails so may be somewhere else, and
// something else at its address.
func mayHaveMoved(r tapo.Reason) bool {
	switch r {
	case tapo.SessionStolen, tapo.PlugError:
		return false
	}
	return true
}
