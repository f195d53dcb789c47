// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// plug is a plug that is read with one account.
type plug struct {
	target  config.Target // of which the device was made, with the parsed address
	device  *tapo.Device
	reads   singleflight.Group // of the read in flight, under the key ""
	waiters waiters

	listed bool      // a target of the configuration has it; guarded by Pool.mu
	used   time.Time // by a probe or a reload; guarded by Pool.mu

	mu      sync.Mutex
	state   State
	trends  Trends
	news    news
	lateErr *tapo.Error        // of the last probe, if it ended before its read
	cancel  context.CancelFunc // of the last read
}

// read reads the device and records how that went. It never runs twice at a time
// for one plug.
func (p *plug) read(ctx context.Context, logger *slog.Logger, target string) (reading tapo.Reading, err error) {
	defer func() { // a panic here would end the process, not just this probe
		if r := recover(); r != nil {
			logger.ErrorContext(ctx, "Panic while reading a plug", "target", target, "panic", r)
			err = &tapo.Error{Reason: tapo.BadReply, Address: p.target.Address, Advice: "This is a bug: please report it with the log.", Err: errors.New("internal error")}
		}
		p.recordRead(ctx, logger, target, reading, err)
	}()
	return p.device.Read(ctx)
}

// recordRead keeps the result of a read, and logs a failure if it is news. That a plug can
// be read again is logged by a probe that was not too late for it.
func (p *plug) recordRead(ctx context.Context, logger *slog.Logger, target string, reading tapo.Reading, err error) {
	failed := asError(p.target.Address, err)
	p.mu.Lock()
	p.state.Err = failed
	if failed == nil {
		p.state.Reading = reading
		p.trends.add(reading)
	} else {
		p.trends.interrupt(time.Now())
	}
	p.mu.Unlock()
	if failed != nil {
		p.logFailure(ctx, logger, target, failed)
	}
}

// logFailure logs that the plug cannot be read, if that is news.
func (p *plug) logFailure(ctx context.Context, logger *slog.Logger, target string, failed *tapo.Error) {
	p.mu.Lock()
	isNews := p.news.failed(failed.Reason, time.Now())
	p.mu.Unlock()
	if isNews {
		logger.WarnContext(ctx, "Plug cannot be read", "target", target, "reason", failed.Reason, "err", failed.Err, "advice", failed.Advice)
	}
}

// logSuccess logs that the plug can be read again, if it could not.
func (p *plug) logSuccess(ctx context.Context, logger *slog.Logger, target string) {
	p.mu.Lock()
	before := p.news.succeeded()
	p.mu.Unlock()
	if before != "" {
		logger.InfoContext(ctx, "Plug can be read again", "target", target, "reason_before", before)
	}
}

// asError returns err as the library's type of error, nil for nil.
func asError(address string, err error) *tapo.Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*tapo.Error](err); ok {
		return e
	}
	return &tapo.Error{Reason: tapo.Timeout, Address: address, Advice: tapo.Timeout.Advice(), Err: err}
}

// setCancel keeps how the read in flight can be ended.
func (p *plug) setCancel(cancel context.CancelFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cancel = cancel
}

// cancelRead ends a read in flight.
func (p *plug) cancelRead() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel != nil {
		p.cancel()
	}
}

// takeStateOf makes p, which is new, the successor of another plug.
func (p *plug) takeStateOf(old *plug) {
	p.device.Replace(old.device)
	p.trends = old.copyTrends()
	old.mu.Lock()
	defer old.mu.Unlock()
	p.state, p.news = old.state, old.news.clone()
}

func (p *plug) copyTrends() Trends {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trends.clone()
}

// recordProbe keeps how a probe ended: late is its error if that was before its
// read.
func (p *plug) recordProbe(late *tapo.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lateErr = late
}

// currentState returns the state as the last probe has reported it.
func (p *plug) currentState() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	state := p.state
	if state.Err == nil {
		state.Err = p.lateErr
	}
	return state
}
