// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/tapo-exporter/tapo_exporter/collector/sessions"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
)

// probeLog gathers the log lines of one probe. They are formatted only when
// somebody opens its page.
type probeLog struct {
	target config.Target
	start  time.Time

	mu    sync.Mutex // a shared read may log after the probe has ended
	lines []slog.Record
}

func startProbeLog(target config.Target) *probeLog {
	return &probeLog{target: target, start: time.Now()}
}

func (l *probeLog) add(line slog.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// finish returns the probe of which these are the lines.
func (l *probeLog) finish(took time.Duration, result sessions.Result) Probe {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := Probe{
		Target: l.target.Name, Start: l.start, Took: took, Err: result.Err, Shared: result.Shared, lines: l.lines,
		Protocol: result.Reading.Protocol, Info: result.Reading.Info, host: l.target.Address,
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

type probeLogKey struct{}

func withProbeLog(ctx context.Context, l *probeLog) context.Context {
	return context.WithValue(ctx, probeLogKey{}, l)
}

type withoutLogKey struct{}

// withoutLog returns a context whose lines are logged as if they were for debugging.
func withoutLog(ctx context.Context) context.Context {
	return context.WithValue(ctx, withoutLogKey{}, true)
}

// probeLogHandler is a log handler that also writes into the probe's log that the
// context of a line carries, at every level.
type probeLogHandler struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (h probeLogHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return ctx.Value(probeLogKey{}) != nil || h.Handler.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h probeLogHandler) Handle(ctx context.Context, line slog.Record) error {
	if l, ok := ctx.Value(probeLogKey{}).(*probeLog); ok {
		l.add(line)
	}
	if ctx.Value(withoutLogKey{}) != nil {
		line.Level = min(line.Level, slog.LevelDebug)
	}
	if !h.Handler.Enabled(ctx, line.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, line)
}

// WithAttrs implements [slog.Handler]. A probe's log leaves the attributes out:
// they are the plug's address, which its report must not show.
func (h probeLogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return probeLogHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h probeLogHandler) WithGroup(name string) slog.Handler {
	return probeLogHandler{h.Handler.WithGroup(name)}
}
