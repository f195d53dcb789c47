// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

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
	lines  []slog.Record
}

// history keeps the last probes. Its methods are safe for concurrent use.
type history struct {
	mu     sync.Mutex
	limit  int
	next   uint64
	probes []Probe // a ring: probe ID is at ID % limit
}

func newHistory(limit int) *history { return &history{limit: limit, next: 1} }

func (h *history) add(p Probe) {
	if h.limit == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.probes == nil {
		h.probes = make([]Probe, h.limit)
	}
	p.ID = h.next
	h.probes[h.next%uint64(h.limit)] = p //nolint:gosec // not negative
	h.next++
}

// recent returns the kept probes, the newest first.
func (h *history) recent() []Probe {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []Probe
	for id := h.next - 1; id > 0 && len(all) < h.limit; id-- {
		all = append(all, h.probes[id%uint64(h.limit)]) //nolint:gosec // not negative
	}
	return all
}

func (h *history) find(id uint64) (Probe, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if id == 0 || h.probes == nil {
		return Probe{}, false
	}
	p := h.probes[id%uint64(h.limit)] //nolint:gosec // not negative
	return p, p.ID == id
}

// record gathers the log lines of one probe. They are put into words when
// somebody looks at them.
type record struct {
	target string
	start  time.Time

	mu    sync.Mutex // a shared read may log after the probe has ended
	lines []slog.Record
}

func startRecord(target string) *record { return &record{target: target, start: time.Now()} }

func (r *record) add(line slog.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

func (r *record) finish(took time.Duration, result Result) Probe {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Probe{Target: r.target, Start: r.start, Took: took, Err: result.Err, Shared: result.Shared, lines: r.lines}
}

// Log returns one line per step.
func (p Probe) Log() string {
	var text strings.Builder
	out := slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		switch {
		case len(groups) == 0 && a.Key == slog.TimeKey:
			return slog.Duration("after", a.Value.Time().Sub(p.Start).Round(10*time.Microsecond))
		case len(groups) == 0 && a.Key == slog.LevelKey:
			return slog.Attr{}
		}
		return a
	}})
	for _, line := range p.lines {
		_ = out.Handle(context.Background(), line) // which only a strings.Builder could refuse
	}
	return text.String()
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
