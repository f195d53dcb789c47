// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package sessions reads plugs over sessions that outlive probes and reloads.
//
// A [Pool] has one device per plug and account. Concurrent probes of a plug
// share the read in flight; a finished reading is never served again.
package sessions

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/internal/plugs"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// readMargin is the time that a probe has for its answer after the read, if the
// scrape's timeout is the exporter's.
const readMargin = 100 * time.Millisecond

// Options configures a [Pool].
type Options struct {
	// Timeout is the longest that a probe may take, TimeoutOffset what is taken off
	// the timeout of a scrape.
	Timeout, TimeoutOffset time.Duration
	// Logger gets the lines of reads, with the context of the probe that began
	// the read.
	Logger *slog.Logger
	// Rejections keeps over restarts which plugs have refused logins; nil forgets it.
	Rejections tapo.RejectionStore
	// DialContext replaces the dialer to plugs if it is not nil.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// Pool keeps the devices of plugs. Its methods are safe for concurrent use. It is
// a Prometheus collector of the exporter's metrics about sessions.
type Pool struct {
	readTimeout time.Duration // of a read, which its waiters do not bound
	logger      *slog.Logger
	dialContext func(ctx context.Context, network, address string) (net.Conn, error)
	metrics     *metrics
	reads       sync.WaitGroup // under way

	mu     sync.Mutex
	closed bool
	plugs  map[key]*plug
	listed map[key]bool // what the configuration lists
	locks  plugs.Locks  // by address: they belong to plugs, not to accounts
}

// key identifies a plug and an account, whatever the target is called.
type key struct {
	plug        string // host:port, or the MAC of a plug that may move
	credentials tapo.Credentials
}

// keyOf returns the key of a target; an address that is none stands for itself.
func keyOf(t config.Target) key {
	if t.MAC != "" {
		return key{t.MAC, t.Credentials}
	}
	address, err := tapo.ParseAddress(t.Address)
	if err != nil {
		address = t.Address
	}
	return key{address, t.Credentials}
}

// New returns a pool without plugs.
func New(opts Options) *Pool {
	return &Pool{
		readTimeout: max(opts.Timeout-opts.TimeoutOffset-readMargin, opts.Timeout/2), logger: opts.Logger, dialContext: opts.DialContext,
		metrics: newMetrics(), plugs: map[key]*plug{}, locks: plugs.Locks{Rejections: opts.Rejections},
	}
}

// State is what is known of a plug without a read.
type State struct {
	Reading tapo.Reading // of the last read that succeeded
	Err     *tapo.Error  // of the last read, nil if it succeeded
}

// State returns what is known of a target's plug.
func (s *Pool) State(t config.Target) State {
	if err := checkAccount(t); err != nil {
		return State{Err: err}
	}
	if p := s.find(t); p != nil {
		return p.currentState()
	}
	return State{}
}

// Trends returns the power that a target's plug has had in the last readings.
func (s *Pool) Trends(t config.Target) Trends {
	if p := s.find(t); p != nil {
		return p.copyTrends()
	}
	return nil
}

// find returns the plug of a target, nil if there is none.
func (s *Pool) find(t config.Target) *plug {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plugs[keyOf(t)]
}

// open returns the plug of a target, with a new device if there is none or the
// target's settings have changed. A new one takes over the state of replaced if
// that is not nil.
func (s *Pool) open(t config.Target, replaced *plug) (*plug, *tapo.Error) {
	k := keyOf(t)
	if t.MAC == "" {
		t.Address = k.plug
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plugs[k]
	if p == nil || !plugs.SameDevice(p.target, t) {
		if p != nil {
			replaced = p
			if p.target.Address != t.Address {
				p.cancelRead() // the new device would wait for a plug that is not there any more
			}
		} else if !s.listed[k] {
			s.forgetUnlisted(time.Now())
		}
		var err *tapo.Error
		if p, err = s.newPlug(t); err != nil {
			return nil, err
		}
		if replaced != nil {
			p.takeStateOf(replaced)
		}
		s.plugs[k] = p
	}
	p.listed = p.listed || s.listed[k]
	p.used = time.Now()
	return p, nil
}

// newPlug opens the device of a target.
func (s *Pool) newPlug(t config.Target) (*plug, *tapo.Error) {
	device, err := plugs.Open(t, plugs.Options{
		Guard: s.locks.At(t.Address).Guard, Guesses: s.locks.Guesses(), Logger: s.logger.With("address", t.Address), Trace: s.metrics.trace(), DialContext: s.dialContext,
	})
	if err != nil {
		return nil, err
	}
	return &plug{target: t, device: device, trends: Trends{}}, nil
}

// drop forgets a plug, except for the logins that it has refused. Its session is
// closed once a read in flight has ended. s.mu is held.
func (s *Pool) drop(k key) {
	go s.plugs[k].device.Close()
	delete(s.plugs, k)
}

// Close waits for the reads under way, until ctx ends: a login that is cut off may count as a
// wrong password. No read begins after it.
func (s *Pool) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.reads.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// beginRead reports whether a read may begin. It must be ended with s.reads.Done.
func (s *Pool) beginRead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.reads.Add(1)
	}
	return !s.closed
}

// checkAccount is [plugs.CheckAccount] for a program that goes on running with
// the configuration that it has loaded.
func checkAccount(t config.Target) *tapo.Error {
	err := plugs.CheckAccount(t)
	if err != nil {
		err.Advice = strings.TrimSuffix(err.Advice, ".") + ", and reload."
	}
	return err
}
