// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// idleUnlisted is how long an unlisted plug that nobody probes is remembered.
const idleUnlisted = time.Hour

// dialer is the type of net.Dialer's DialContext.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Sessions keeps one device per plug, so that logins outlive probes. Concurrent
// probes of a plug share the read in flight; a finished reading is never served
// again. Its methods are safe for concurrent use. It is a Prometheus collector
// of the exporter's own metrics.
type Sessions struct {
	timeout time.Duration // of a shared read
	logger  *slog.Logger
	dial    dialer // nil but in tests
	metrics *selfMetrics

	mu      sync.Mutex
	plugs   map[string]*session // by plugKey
	targets int
}

// session is one plug.
type session struct {
	listed  bool
	config  tapo.Config
	device  *tapo.Device
	flights singleflight.Group

	mu    sync.Mutex
	used  time.Time
	state State
}

// State is what is known of a plug without asking it.
type State struct {
	Reading tapo.Reading // the last that succeeded
	Read    time.Time    // when the last read ended, zero before the first
	Err     *tapo.Error  // how it failed, nil if it did not
}

func newSessions(timeout time.Duration, logger *slog.Logger, dial dialer) *Sessions {
	return &Sessions{timeout: timeout, logger: logger, dial: dial, metrics: newSelfMetrics(), plugs: map[string]*session{}}
}

// plugKey identifies a target among sessions.
func plugKey(t config.Target, listed bool) string {
	if listed {
		return "listed " + t.Name
	}
	return "unlisted " + t.Address + " " + t.Auth
}

// Read reads a plug, or waits for the read in flight. ctx bounds the wait only:
// a read that was started goes on for the others that wait for it.
func (s *Sessions) Read(ctx context.Context, t config.Target, listed bool) (tapo.Reading, *tapo.Error) {
	plug, err := s.get(t, listed)
	if err != nil {
		return tapo.Reading{}, err
	}
	leading := false
	done := plug.flights.DoChan("", func() (any, error) {
		leading = true
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
		defer cancel()
		return plug.read(ctx, s.logger.With("target", t.Name))
	})
	select {
	case result := <-done:
		if !leading {
			s.metrics.probesShared.Inc()
		}
		reading, _ := result.Val.(tapo.Reading)
		return reading, asError(plug.config.Address, result.Err)
	case <-ctx.Done():
		return tapo.Reading{}, asError(plug.config.Address, ctx.Err())
	}
}

// read reads the device and notes the outcome. It never runs twice at a time
// for one plug.
func (p *session) read(ctx context.Context, logger *slog.Logger) (reading tapo.Reading, err error) {
	defer func() { // a panic here would end the process, not just this probe
		if r := recover(); r != nil {
			logger.ErrorContext(ctx, "Panic while reading a plug", "panic", r)
			err = &tapo.Error{Reason: tapo.BadReply, Address: p.config.Address, Advice: "This is a bug: please report it with the log.", Err: errors.New("internal error")}
		}
		p.note(ctx, logger, reading, err)
	}()
	return p.device.Read(ctx)
}

// note keeps the outcome of a read, and logs it if it is news.
func (p *session) note(ctx context.Context, logger *slog.Logger, reading tapo.Reading, err error) {
	failed := asError(p.config.Address, err)
	p.mu.Lock()
	before := p.state
	p.state.Read, p.state.Err = time.Now(), failed
	if failed == nil {
		p.state.Reading = reading
	}
	p.mu.Unlock()
	switch {
	case failed != nil && (before.Err == nil || before.Err.Reason != failed.Reason):
		logger.WarnContext(ctx, "Plug cannot be read", "reason", failed.Reason, "err", failed.Err, "advice", failed.Advice)
	case failed == nil && before.Err != nil:
		logger.InfoContext(ctx, "Plug can be read again", "reason_before", before.Err.Reason)
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

// get returns the plug of a target, a new one if there is none or the
// configuration has changed.
func (s *Sessions) get(t config.Target, listed bool) (*session, *tapo.Error) {
	if t.Address == "" {
		return nil, &tapo.Error{
			Reason: tapo.Unreachable, Address: t.MAC, Err: errors.New("the plug's address is not known"),
			Advice: "This version cannot find a plug by its mac: give its address in the configuration.",
		}
	}
	cfg := tapo.Config{
		Address: t.Address, Credentials: t.Credentials, Protocol: t.Protocol,
		AllowPassthrough: t.AllowPassthrough, SkipReplyVerification: t.SkipReplyVerification(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	key := plugKey(t, listed)
	p := s.plugs[key]
	if p == nil || !sameDevice(p.config, cfg) {
		device, err := s.newDevice(t.Name, cfg)
		if err != nil {
			return nil, &tapo.Error{Reason: tapo.Unreachable, Address: t.Address, Advice: "Correct the configuration.", Err: err}
		}
		next := &session{listed: listed, config: cfg, device: device}
		if p != nil {
			device.Adopt(p.device)
			go p.device.Close() // waits for a read in flight
		} else if !listed {
			s.forgetIdle(now)
		}
		s.plugs[key], p = next, next
	}
	p.mu.Lock()
	p.used = now
	p.mu.Unlock()
	return p, nil
}

func (s *Sessions) newDevice(name string, cfg tapo.Config) (*tapo.Device, error) {
	cfg.Logger, cfg.Trace, cfg.DialContext = s.logger.With("target", name), s.metrics.trace(), s.dial
	device, err := tapo.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", name, err)
	}
	return device, nil
}

// sameDevice compares what makes a device; a Config itself has functions.
func sameDevice(a, b tapo.Config) bool {
	return a.Address == b.Address && a.Credentials == b.Credentials && a.Protocol == b.Protocol &&
		a.AllowPassthrough == b.AllowPassthrough && a.SkipReplyVerification == b.SkipReplyVerification
}

// forgetIdle drops unlisted plugs that nobody has probed for long, since anyone
// who may probe can make any number of them. s.mu is held.
func (s *Sessions) forgetIdle(now time.Time) {
	for key, p := range s.plugs {
		p.mu.Lock()
		idle := !p.listed && now.Sub(p.used) > idleUnlisted
		p.mu.Unlock()
		if idle {
			s.drop(key)
		}
	}
}

// drop forgets a plug and closes its session once a read in flight has ended.
// s.mu is held.
func (s *Sessions) drop(key string) {
	go s.plugs[key].device.Close()
	delete(s.plugs, key)
}

// Retain drops the plugs that a new configuration no longer has.
func (s *Sessions) Retain(c *config.Config) {
	keep := map[string]bool{}
	for _, t := range c.Targets {
		keep[plugKey(t, true)] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.targets = len(c.Targets)
	for key, p := range s.plugs {
		if p.listed && !keep[key] || !p.listed && !unlistedStands(c, p.config) {
			s.drop(key)
		}
	}
}

// unlistedStands reports whether an account still has these credentials.
func unlistedStands(c *config.Config, plug tapo.Config) bool {
	for _, a := range c.Auths {
		if a.Credentials() == plug.Credentials {
			return true
		}
	}
	return false
}

// State returns what is known of a target's plug.
func (s *Sessions) State(t config.Target) State {
	s.mu.Lock()
	p := s.plugs[plugKey(t, true)]
	s.mu.Unlock()
	if p == nil {
		return State{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// standing counts live sessions by protocol.
func (s *Sessions) standing() map[tapo.Protocol]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[tapo.Protocol]int{}
	for _, p := range s.plugs {
		n[p.device.Protocol()]++
	}
	return n
}

func (s *Sessions) listed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.targets
}
