// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// session is one plug.
type session struct {
	config  tapo.Config
	device  *tapo.Device
	flights singleflight.Group
	crowd   crowd
	listed  bool      // a target of the configuration has it; guarded by Sessions.mu
	used    time.Time // guarded by Sessions.mu

	mu     sync.Mutex
	state  State
	trends trends
	late   *tapo.Error        // the last probe ended before its read
	cancel context.CancelFunc // of the last read
}

// State is what is known of a plug without asking it.
type State struct {
	Reading tapo.Reading // the last that succeeded
	Err     *tapo.Error  // how the last read failed, nil if it did not
}

// read reads the device and notes the outcome. It never runs twice at a time
// for one plug.
func (p *session) read(ctx context.Context, logger *slog.Logger, target string) (reading tapo.Reading, err error) {
	defer func() { // a panic here would end the process, not just this probe
		if r := recover(); r != nil {
			logger.ErrorContext(ctx, "Panic while reading a plug", "target", target, "panic", r)
			err = &tapo.Error{Reason: tapo.BadReply, Address: p.config.Address, Advice: "This is a bug: please report it with the log.", Err: errors.New("internal error")}
		}
		p.note(ctx, logger, target, reading, err)
	}()
	return p.device.Read(ctx)
}

// note keeps the outcome of a read, and logs it if it is news.
func (p *session) note(ctx context.Context, logger *slog.Logger, target string, reading tapo.Reading, err error) {
	failed := asError(p.config.Address, err)
	p.mu.Lock()
	before := p.state
	p.state.Err = failed
	if failed == nil {
		p.state.Reading = reading
		p.trends.add(reading)
	} else {
		p.trends.interrupt(time.Now())
	}
	p.mu.Unlock()
	switch {
	case failed != nil && before.Err != nil && failed.Reason == tapo.LoginBackoff: // what it follows has been logged
	case failed != nil && (before.Err == nil || before.Err.Reason != failed.Reason):
		logger.WarnContext(ctx, "Plug cannot be read", "target", target, "reason", failed.Reason, "err", failed.Err, "advice", failed.Advice)
	case failed == nil && before.Err != nil:
		logger.InfoContext(ctx, "Plug can be read again", "target", target, "reason_before", before.Err.Reason)
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

// begin notes how a read can be ended.
func (p *session) begin(cancel context.CancelFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cancel = cancel
}

// abandon ends a read of a plug that is not there any more, for which its
// successor would wait otherwise.
func (p *session) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel != nil {
		p.cancel()
	}
}

// inherit takes over what is known of the plug.
func (p *session) inherit(old *session) {
	p.device.Replace(old.device)
	old.mu.Lock()
	defer old.mu.Unlock()
	p.state = old.state
	for number, points := range old.trends {
		p.trends[number] = slices.Clone(points)
	}
}

// history returns a copy of the power of the last readings.
func (p *session) history() trends {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := trends{}
	for number, points := range p.trends {
		all[number] = slices.Clone(points)
	}
	return all
}

// answered notes how a probe ended: late, if that was before its read.
func (p *session) answered(late *tapo.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late = late
}

func (p *session) known() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.state
	if known.Err == nil {
		known.Err = p.late
	}
	return known
}
