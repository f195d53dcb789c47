// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// minRetryTime is what must be left of a probe for a read of its own, after it
// has shared one that ran out of time.
const minRetryTime = time.Second

// Result is what a probe gets.
type Result struct {
	Reading tapo.Reading
	Err     *tapo.Error // nil if the plug was read
	Shared  bool        // another probe had begun the read
}

// sharedRead is what all waiters of a read get.
type sharedRead struct {
	reading tapo.Reading
	expired bool // the read ended because its time was over
}

// Read reads a plug, or waits for the read in flight. ctx bounds the wait only: a
// read that was begun goes on for its other waiters. A waiter whose read runs out
// of time, because it began earlier, reads anew if it has time left.
func (s *Pool) Read(ctx context.Context, t config.Target) Result {
	if err := checkAccount(t); err != nil {
		return Result{Err: err}
	}
	p, err := s.open(t, nil)
	if err != nil {
		return Result{Err: err}
	}
	deadline, bounded := ctx.Deadline()
	if !bounded {
		deadline = time.Now().Add(s.readTimeout)
	}
	defer p.waiters.add(deadline)()
	for {
		began := false
		result, ok := s.share(ctx, p, func() (any, error) {
			began = true
			return s.read(ctx, p, t.Name)
		})
		if !ok {
			s.logger.DebugContext(ctx, "Probe has ended before its read, which goes on", "target", t.Name, "err", ctx.Err())
			late := asError(p.target.Address, fmt.Errorf("the plug has not answered in the time that the scrape has: %w", ctx.Err()))
			p.recordProbe(late)
			p.logFailure(ctx, s.logger, t.Name, late)
			return Result{Err: late}
		}
		failed := asError(p.target.Address, result.Err)
		read, _ := result.Val.(sharedRead)
		if !began && failed != nil && read.expired && time.Until(deadline) > minRetryTime {
			continue
		}
		if !began {
			s.metrics.probesShared.Inc()
		}
		p.recordProbe(nil)
		if failed == nil {
			p.logSuccess(ctx, s.logger, t.Name)
		}
		return Result{Reading: read.reading, Err: failed, Shared: !began}
	}
}

var errStopping = errors.New("the exporter is stopping")

// read reads a plug for all that wait for it.
func (s *Pool) read(ctx context.Context, p *plug, target string) (sharedRead, error) {
	if !s.beginRead() {
		return sharedRead{}, errStopping
	}
	defer s.reads.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.readTimeout)
	defer cancel()
	p.setCancel(cancel)
	reading, err := p.read(tapo.WithLastWaiter(ctx, p.waiters.lastDeadline), s.logger, target)
	end, _ := ctx.Deadline()
	return sharedRead{reading, !time.Now().Before(end)}, err
}

// share calls read, or waits for the call in flight; ok is false when ctx ends
// first. A caller that has time for any read calls it in its own goroutine,
// which saves two switches to another one.
func (s *Pool) share(ctx context.Context, p *plug, read func() (any, error)) (result singleflight.Result, ok bool) {
	if end, bounded := ctx.Deadline(); !bounded || time.Until(end) >= s.readTimeout {
		result.Val, result.Err, _ = p.reads.Do("", read)
		return result, true
	}
	select {
	case result = <-p.reads.DoChan("", read):
		return result, true
	case <-ctx.Done():
		return result, false
	}
}
