// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

const (
	// idleUnlisted is how long an unlisted plug that nobody probes is remembered.
	idleUnlisted = 24 * time.Hour
	// maxUnlisted is how many are remembered at most: whoever may probe can name
	// any number of addresses.
	maxUnlisted = 1000
	// leeway is what a probe with a usual timeout has beyond the time of a read.
	leeway = 100 * time.Millisecond
	// worthWhile is the time for which it is worth while to read anew.
	worthWhile = time.Second
)

// dialer is the type of net.Dialer's DialContext.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Sessions keeps one device per plug and account, so that logins outlive probes
// and reloads. Concurrent probes of a plug share the read in flight; a finished
// reading is never served again. Its methods are safe for concurrent use. It is
// a Prometheus collector of the exporter's own metrics.
type Sessions struct {
	patience   time.Duration // how long a read may take, whoever waits for it
	logger     *slog.Logger
	dial       dialer              // nil but in tests
	rejections tapo.RejectionStore // may be nil; see guards
	metrics    *selfMetrics

	mu      sync.Mutex
	plugs   map[plugKey]*session
	wanted  map[plugKey]bool       // what the configuration lists
	guards  map[string]*tapo.Guard // by address: they belong to plugs, not to accounts
	targets int
}

// plugKey identifies a plug, whatever its target is called.
type plugKey struct {
	place       string // host:port, or the MAC of a plug that may move
	credentials tapo.Credentials
}

// Result is the outcome of a probe.
type Result struct {
	Reading tapo.Reading
	Err     *tapo.Error // nil if the plug was read
	Shared  bool        // the read was under way for another probe
}

func newSessions(opts Options) *Sessions {
	return &Sessions{
		patience: max(opts.Timeout-opts.TimeoutOffset-leeway, opts.Timeout/2), logger: slog.New(probeLogHandler{opts.Logger.Handler()}), dial: opts.DialContext,
		rejections: opts.Rejections, metrics: newSelfMetrics(),
		plugs: map[plugKey]*session{}, guards: map[string]*tapo.Guard{},
	}
}

// flight is the outcome of a read that callers share.
type flight struct {
	reading tapo.Reading
	expired bool // it ended because its time was over
}

// Read reads a plug, or waits for the read in flight. ctx bounds the wait only:
// a read that was started goes on for the others that wait for it. Where the
// read of another caller fails for want of time, of which this one has more,
// this one reads anew.
func (s *Sessions) Read(ctx context.Context, t config.Target, listed bool) Result {
	if t.HasExampleAccount() {
		return Result{Err: exampleAccount(t)}
	}
	plug, failed := s.get(t, listed, nil)
	if failed != nil {
		return Result{Err: failed}
	}
	leaves, bounded := ctx.Deadline()
	if !bounded {
		leaves = time.Now().Add(s.patience)
	}
	defer plug.crowd.join(leaves)()
	for {
		leading := false
		result, ok := s.share(ctx, plug, func() (any, error) {
			leading = true
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.patience)
			defer cancel()
			plug.begin(cancel)
			reading, err := plug.read(tapo.WithLastWaiter(ctx, plug.crowd.last), s.logger, t.Name)
			end, _ := ctx.Deadline()
			return flight{reading, !time.Now().Before(end)}, err
		})
		if !ok {
			s.logger.InfoContext(ctx, "Probe has ended before its read, which goes on", "target", t.Name, "err", ctx.Err())
			late := asError(plug.config.Address, fmt.Errorf("the plug has not answered in the time that the scrape has: %w", ctx.Err()))
			plug.answered(late)
			return Result{Err: late}
		}
		failed := asError(plug.config.Address, result.Err)
		outcome, _ := result.Val.(flight)
		if !leading && failed != nil && outcome.expired && time.Until(leaves) > worthWhile {
			continue
		}
		if !leading {
			s.metrics.probesShared.Inc()
		}
		plug.answered(nil)
		return Result{Reading: outcome.reading, Err: failed, Shared: !leading}
	}
}

func exampleAccount(t config.Target) *tapo.Error {
	return &tapo.Error{
		Reason: tapo.BadCredentials, Address: t.Address, Err: errors.New("the account in the configuration is still the example's"),
		Advice: "Put the e-mail and the password of your TP-Link account into the configuration, and reload.",
	}
}

// share calls read, or waits for the call in flight; ok is false when ctx ends
// first. A caller that has the time of any read calls it itself, which spares
// the way to another goroutine and back.
func (s *Sessions) share(ctx context.Context, plug *session, read func() (any, error)) (result singleflight.Result, ok bool) {
	if end, bounded := ctx.Deadline(); !bounded || time.Until(end) >= s.patience {
		result.Val, result.Err, _ = plug.flights.Do("", read)
		return result, true
	}
	select {
	case result = <-plug.flights.DoChan("", read):
		return result, true
	case <-ctx.Done():
		return result, false
	}
}

// get returns the plug of a target, a new one if there is none or the
// configuration has changed. A new one succeeds orphan if that is not nil.
func (s *Sessions) get(t config.Target, listed bool, orphan *session) (*session, *tapo.Error) {
	key, address := keyOf(t), t.Address
	if t.MAC == "" {
		address = key.place
	}
	cfg := tapo.Config{
		Address: address, MAC: t.MAC, Credentials: t.Credentials, Protocol: t.Protocol,
		AllowPassthrough: t.AllowPassthrough, SkipReplyVerification: t.SkipReplyVerification(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plugs[key]
	if p == nil || !sameDevice(p.config, cfg) {
		if p != nil {
			orphan = p
			if p.config.Address != cfg.Address {
				p.abandon()
			}
		} else if !listed {
			s.forgetUnlisted(time.Now())
		}
		var err error
		if p, err = s.newSession(cfg, orphan); err != nil {
			return nil, &tapo.Error{Reason: tapo.Unreachable, Address: t.Address, Err: err, Advice: "Correct the configuration."}
		}
		s.plugs[key] = p
	}
	p.listed = p.listed || listed && s.wanted[key] // a reload may have come between
	p.used = time.Now()
	return p, nil
}

// keyOf identifies the plug of a target; an address that is none is its own.
func keyOf(t config.Target) plugKey {
	if t.MAC != "" {
		return plugKey{t.MAC, t.Credentials}
	}
	address, err := tapo.ParseAddress(t.Address)
	if err != nil {
		address = t.Address
	}
	return plugKey{address, t.Credentials}
}

// newSession makes a session that takes over from an older one of the same
// plug, if there is one.
func (s *Sessions) newSession(cfg tapo.Config, old *session) (*session, error) {
	p := &session{config: cfg, trends: trends{}}
	cfg.Logger, cfg.Trace = s.logger.With("address", cfg.Address), s.metrics.trace()
	cfg.DialContext, cfg.Guard = s.dial, s.guard(cfg.Address)
	var err error
	if p.device, err = tapo.New(cfg); err != nil {
		return nil, err
	}
	if old != nil {
		p.inherit(old)
	}
	return p, nil
}

// sameDevice compares what makes a device; a Config itself has functions.
func sameDevice(a, b tapo.Config) bool {
	return a.Address == b.Address && a.MAC == b.MAC && a.Credentials == b.Credentials && a.Protocol == b.Protocol &&
		a.AllowPassthrough == b.AllowPassthrough && a.SkipReplyVerification == b.SkipReplyVerification
}

// forgetUnlisted drops unlisted plugs that nobody has probed for long, and the
// one unused for longest if there are too many. s.mu is held.
func (s *Sessions) forgetUnlisted(now time.Time) {
	var oldest plugKey
	count := 0
	for key, p := range s.plugs {
		switch {
		case p.listed:
		case now.Sub(p.used) > idleUnlisted:
			s.drop(key)
		default:
			if count == 0 || p.used.Before(s.plugs[oldest].used) {
				oldest = key
			}
			count++
		}
	}
	if count >= maxUnlisted {
		s.drop(oldest)
	}
	used := map[string]bool{}
	for _, p := range s.plugs {
		used[p.config.Address] = true
	}
	maps.DeleteFunc(s.guards, func(address string, g *tapo.Guard) bool { return !used[address] && g.Idle() })
}

// drop forgets a plug, but for what it has refused, and closes its session once
// a read in flight has ended. s.mu is held.
func (s *Sessions) drop(key plugKey) {
	go s.plugs[key].device.Close()
	delete(s.plugs, key)
}

// guard returns the guard of the plug at an address: whoever has refused a login
// there may only claim to be the plug with a MAC. s.mu is held.
func (s *Sessions) guard(address string) *tapo.Guard {
	g := s.guards[address]
	if g == nil {
		g = tapo.NewGuard(address, s.rejections)
		s.guards[address] = g
	}
	return g
}

// Retain takes a new configuration: changed targets take over what is known of
// their plugs, and plugs that it no longer has are dropped.
func (s *Sessions) Retain(c *config.Config) {
	wanted := map[plugKey]bool{}
	for _, t := range c.Targets {
		wanted[keyOf(t)] = true
	}
	s.mu.Lock()
	s.wanted = wanted
	s.mu.Unlock()
	orphans := s.orphans(wanted)
	for _, t := range c.Targets {
		key := keyOf(t)
		if t.MAC == "" {
			_, _ = s.get(t, true, orphans[key.place]) // a probe will show the error
		} else {
			s.list(key)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.targets = len(c.Targets)
	for key, p := range s.plugs {
		if p.listed && !wanted[key] || !p.listed && !accountStands(c, key.credentials) {
			s.drop(key)
		}
	}
}

// list keeps what is known of a plug that has been found already.
func (s *Sessions) list(key plugKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.plugs[key]; p != nil {
		p.listed = true
	}
}

// orphans returns, by place, the listed plugs that no target wants any more:
// because they are gone, or because their credentials have changed.
func (s *Sessions) orphans(wanted map[plugKey]bool) map[string]*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]*session{}
	for key, p := range s.plugs {
		if p.listed && !wanted[key] {
			found[key.place] = p
		}
	}
	return found
}

// accountStands reports whether some account still has these credentials.
func accountStands(c *config.Config, credentials tapo.Credentials) bool {
	for _, a := range c.Auths {
		if a.Credentials() == credentials {
			return true
		}
	}
	return false
}

// State returns what is known of a target's plug.
func (s *Sessions) State(t config.Target) State {
	if t.HasExampleAccount() {
		return State{Err: exampleAccount(t)}
	}
	s.mu.Lock()
	p := s.plugs[keyOf(t)]
	s.mu.Unlock()
	if p == nil {
		return State{}
	}
	return p.known()
}

// trends returns the power that a target's plug has had in the last readings.
func (s *Sessions) trends(t config.Target) trends {
	s.mu.Lock()
	p := s.plugs[keyOf(t)]
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	return p.history()
}

// unlisted returns the plugs that only Prometheus knows, as targets, by address.
func (s *Sessions) unlisted(c *config.Config) []config.Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []config.Target
	for key, p := range s.plugs {
		if !p.listed && p.config.MAC == "" {
			host, _, err := net.SplitHostPort(p.config.Address)
			if err != nil {
				host = p.config.Address
			}
			t := config.Target{Name: host, Address: p.config.Address, Credentials: key.credentials}
			for name, auth := range c.Auths {
				if len(c.Auths) > 1 && auth.Credentials() == key.credentials {
					t.Auth = name
				}
			}
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b config.Target) int { return strings.Compare(a.Name, b.Name) })
	return all
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
