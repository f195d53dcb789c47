// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package smart implements the dialect of Tapo plugs, and of Kasa devices with the same
// methods: the requests over a session, and the meaning of the replies.
//
// A read chooses methods from a table (methods.go), asks for them in one batch, or one by
// one if the plug refuses batches (ask.go, request.go, batches.go), and files the replies
// (reply.go). A strip lists its children, and the meter of each is read (children.go).
// Then the replies become a reading (reading.go, clock.go). What the replies have shown of
// the plug is kept for the next read (profile.go). Histories are read in windows of time
// (history.go, historyrequest.go, windows.go).
//
// The package does not depend on logins, on locks, or on how a session transports a text.
// Names and units of the methods are those of python-kasa, its recordings
// (tests/fixtures/smart) and mihai-dinculescu/tapo.
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
	// CheckInfo is called with the plug's identity, before its children are read. An error
	// ends the read. Nil accepts any plug.
	CheckInfo func(plug.Info) error
	// Method is called for each reply to a method, with the plug's error_code; 0 is
	// success. It may be nil.
	Method func(name string, code int)
	Logger *slog.Logger
	Now    func() time.Time
}

// Dialect reads one plug, and keeps between reads what the replies have shown of it. It is
// not safe for concurrent use.
type Dialect struct {
	opts    Options
	session transport.Session // of the present or the last conversation
	budget  *budget.Budget    // of the same

	profile profile
	batches batchHealth

	response response   // reused by ask
	batch    []response // reused by ask, for the replies of a batch

	pauseUntil time.Time // no request for a history before this time
}

// New returns a dialect for a plug.
func New(opts Options) *Dialect { return &Dialect{opts: opts} }

// Components returns the components of component_nego and their versions, nil before the
// plug has listed them.
func (d *Dialect) Components() map[string]int { return maps.Clone(d.profile.plug.components) }

// Read reads the plug over a session. Errors are those of the session and of
// Options.CheckInfo, or wrap [plugerr.ErrSessionLost] or [plugerr.ErrBadReply].
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

// Ended records the result of a conversation, which may have had several sessions.
func (d *Dialect) Ended(err error) { d.batches.conversationEnded(err) }

// begin sets the session and the budget. With another session, it makes the next read ask
// again for what is asked once per login.
func (d *Dialect) begin(s transport.Session, b *budget.Budget) {
	if d.session != s {
		d.session = s
		d.profile.loggedIn()
	}
	d.budget = b
}

// askPlug asks the plug itself, and checks its identity.
func (d *Dialect) askPlug(ctx context.Context, got *replies) error {
	if err := d.askAll(ctx, &d.profile.plug, got); err != nil {
		return err
	}
	if info := got.of(getDeviceInfo); info.state == refused {
		return &plugerr.CodeError{Step: getDeviceInfo.name, Code: info.code}
	}
	if d.opts.CheckInfo == nil {
		return nil
	}
	return d.opts.CheckInfo(got.info.info())
}
