// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// Probe is a finished probe, for the pages.
type Probe struct {
	ID     uint64 // from 1
	Target string
	Start  time.Time
	Took   time.Duration
	Err    *tapo.Error // nil if it succeeded
	Shared bool        // it waited for another probe's read
	// Protocol and Info are what is known of the plug, empty otherwise.
	Protocol tapo.Protocol
	Info     tapo.Info
	host     string // that the target names, which may be private
	lines    []slog.Record
}

// history keeps the last probes, and of those before the last failures. Its
// methods are safe for concurrent use.
type history struct {
	mu       sync.Mutex
	next     uint64
	latest   ring
	failures ring // that latest has dropped
}

func newHistory(limit int) *history {
	return &history{next: 1, latest: ring{limit: limit}, failures: ring{limit: limit}}
}

func (h *history) add(p Probe) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.ID = h.next
	h.next++
	if dropped, any := h.latest.add(p); any && dropped.Err != nil {
		h.failures.add(dropped)
	}
}

// recent returns the kept probes, the newest first.
func (h *history) recent() []Probe {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := append(h.failures.all(), h.latest.all()...)
	slices.Reverse(all)
	return all
}

func (h *history) find(id uint64) (Probe, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, kept := range []*ring{&h.latest, &h.failures} {
		for i := range kept.probes { // which are too large to be copied for a look
			if kept.probes[i].ID == id {
				return kept.probes[i], true
			}
		}
	}
	return Probe{}, false
}

// ring keeps the last probes that were added.
type ring struct {
	limit  int
	probes []Probe
	oldest int // index, once it is full
}

// add returns the probe that had to go.
func (r *ring) add(p Probe) (dropped Probe, any bool) {
	switch {
	case r.limit == 0:
		return p, true
	case len(r.probes) < r.limit:
		r.probes = append(r.probes, p)
		return Probe{}, false
	}
	dropped = r.probes[r.oldest]
	r.probes[r.oldest] = p
	r.oldest = (r.oldest + 1) % r.limit
	return dropped, true
}

// all returns the probes, the oldest first.
func (r *ring) all() []Probe {
	return slices.Concat(r.probes[r.oldest:], r.probes[:r.oldest])
}

// record gathers the log lines of one probe. They are put into words when
// somebody looks at them.
type record struct {
	target config.Target
	start  time.Time

	mu    sync.Mutex // a shared read may log after the probe has ended
	lines []slog.Record
}

func startRecord(target config.Target) *record { return &record{target: target, start: time.Now()} }

func (r *record) add(line slog.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

func (r *record) finish(took time.Duration, result Result) Probe {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := Probe{
		Target: r.target.Name, Start: r.start, Took: took, Err: result.Err, Shared: result.Shared, lines: r.lines,
		Protocol: result.Reading.Protocol, Info: result.Reading.Info, host: r.target.Address,
	}
	if host, _, err := net.SplitHostPort(p.host); err == nil {
		p.host = host
	}
	p.host = strings.TrimSuffix(p.host, ".")
	if p.Err != nil {
		p.Protocol = p.Err.Protocol
	}
	return p
}

type recordKey struct{}

func withRecord(ctx context.Context, r *record) context.Context {
	return context.WithValue(ctx, recordKey{}, r)
}

// recordHandler is a log handler that also writes into the record that the
// context of a line carries, at every level.
type recordHandler struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (h recordHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return ctx.Value(recordKey{}) != nil || h.Handler.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h recordHandler) Handle(ctx context.Context, line slog.Record) error {
	if r, ok := ctx.Value(recordKey{}).(*record); ok {
		r.add(line)
	}
	if !h.Handler.Enabled(ctx, line.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, line)
}

// WithAttrs implements [slog.Handler]. Records do without the attributes, which
// only name the target.
func (h recordHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return recordHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h recordHandler) WithGroup(name string) slog.Handler {
	return recordHandler{h.Handler.WithGroup(name)}
}
