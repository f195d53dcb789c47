// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package smart is the dialect of Tapo plugs, and of Kasa devices that speak the
// same: what to ask over a session, and what the replies mean.
//
// A read begins with the methods that the plug is likely to answer (methods.go,
// the table of them), asks for these in one batch or, of a plug that takes none,
// one by one (ask.go, request.go, batches.go), and files the replies (reply.go).
// A strip lists its children, each of which is asked for its meter (children.go).
// Then the replies become a reading (reading.go, clock.go). What a plug has shown
// to know, to refuse and to lack is kept for the next read (profile.go). What it
// remembers is asked for in windows of time (history.go, historyrequest.go,
// windows.go).
//
// Nothing here knows of logins, of locks or of how a session carries a text.
package smart

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/budget"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// Options configures a [Dialect].
type Options struct {
	// Identify is told what a plug is before it is asked for more; an error ends the
	// read. Nil takes any plug.
	Identify func(plug.Info) error
	// Method is told of each method that was answered, with 0, or refused, with
	// the plug's error_code. Nil ignores it.
	Method func(name string, code int)
	Logger *slog.Logger
	Now    func() time.Time
}

// Dialect reads one plug, and keeps what it has learnt about it between reads. It
// is not safe for concurrent use.
type Dialect struct {
	opts    Options
	session transport.Session // of the conversation under way, or the last
	budget  *budget.Budget    // the same

	profile profile
	batches batchHealth

	response response   // memory for one
	batch    []response // and for those of a batch

	pauseUntil time.Time // before which there is no other request for a history
}

// New returns a dialect that knows nothing of its plug.
func New(opts Options) *Dialect { return &Dialect{opts: opts} }

// Components returns what the plug has listed in component_nego, and the versions
// of that; nil before it has.
func (d *Dialect) Components() map[string]int { return maps.Clone(d.profile.plug.components) }

// Read asks the plug over a session for everything that a reading needs. Errors
// are those of the session and of Options.Identify, or wrap
// [plugerr.ErrSessionLost] or [plugerr.ErrBadReply].
func (d *Dialect) Read(ctx context.Context, s transport.Session, b *budget.Budget) (plug.Reading, error) {
	d.begin(s, b)
	got := newReplies()
	if err := d.askPlug(ctx, got); err != nil {
		return plug.Reading{}, err
	}
	outlets, err := d.readChildren(ctx, got)
	if err != nil {
		return plug.Reading{}, err
	}
	return d.reading(got, outlets), nil
}

// Ended is told how a conversation has ended, which may have had several sessions.
func (d *Dialect) Ended(err error) { d.batches.conversationEnded(err) }

// begin uses a session from now on, and forgets what is asked once per login if
// that is another one.
func (d *Dialect) begin(s transport.Session, b *budget.Budget) {
	if d.session != s {
		d.session = s
		d.profile.loggedIn()
	}
	d.budget = b
}

// askPlug asks the plug itself, and makes sure that it is the one that is wanted.
func (d *Dialect) askPlug(ctx context.Context, got *replies) error {
	if err := d.askAll(ctx, &d.profile.plug, got); err != nil {
		return err
	}
	if info := got.of(getDeviceInfo); info.state == refused {
		return &plugerr.CodeError{Step: getDeviceInfo.name, Code: info.code}
	}
	if d.opts.Identify == nil {
		return nil
	}
	return d.opts.Identify(got.info.info())
}
