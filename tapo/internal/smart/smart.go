// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package smart implements the dialect of Tapo plugs, and of Kasa devices with the same
// methods: the requests over a session, and the meaning of the replies.
//
// A read chooses methods from a table (methods.go), asks for them in one batch, or one by
// one if the plug refuses batches or a method spoils them (ask.go, request.go,
// batches.go), and files the replies (reply.go, file.go). A method that fails costs its own
// values; a plug that answers nothing is not read (yield.go). A strip lists its children,
// and the meter of each is read (children.go). Then the replies become a reading
// (reading.go, clock.go). What the replies have shown of the plug is kept for the next read
// (profile.go). Histories are read in windows of time (history.go, historyrequest.go,
// windows.go).
//
// The package does not depend on logins, on locks, or on how a session transports a text.
// Names and units of the methods are those of python-kasa, its recordings
// (tests/fixtures/smart) and mihai-dinculescu/tapo.
package smart

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/budget"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// Options configures a [Dialect].
type Options struct {
	// CheckInfo is called with the plug's identity, if the plug has reported it, before
	// its children are read. An error ends the read. Nil accepts any plug.
	CheckInfo func(plug.Info) error
	// RequireInfo makes a read fail in which the plug has not identified itself.
	RequireInfo bool
	// Method is called for each reply to a method. It may be nil.
	Method func(plug.MethodReply)
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

	yield    yield
	failures []failure // before anything was read
	batchErr error     // why a batch has brought nothing
	undo     []undo    // what to forget if this conversation brings nothing

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
// Options.CheckInfo, or wrap [plugerr.ErrSessionLost]. If the plug has answered nothing,
// the error is that of a method: a [*plugerr.CodeError], one that is marked with
// [plugerr.NotAReply], or it wraps [ErrSaysNothing] or [plugerr.ErrBadReply].
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
func (d *Dialect) Ended(err error) {
	d.batches.conversationEnded(err)
	for _, before := range slices.Backward(d.undo) {
		before.unit.batches = before.batches
	}
	d.undo = d.undo[:0]
	d.startOver()
}

// startOver begins another session or conversation.
func (d *Dialect) startOver() {
	d.yield.startOver(d.opts.Now())
	d.failures, d.batchErr = d.failures[:0], nil
}

// begin sets the session and the budget. With another session, it makes the next read ask
// again for what is asked once per login.
func (d *Dialect) begin(s transport.Session, b *budget.Budget) {
	if d.session != s {
		d.session = s
		d.profile.loggedIn()
		d.startOver()
	}
	d.budget = b
}

// lacksIdentity reports whether the plug has to identify itself, and has not over this
// session.
func (d *Dialect) lacksIdentity() bool { return d.opts.RequireInfo && d.profile.info == plug.Info{} }

// askPlug asks the plug itself, and checks its identity.
func (d *Dialect) askPlug(ctx context.Context, got *replies) error {
	if err := d.askAll(ctx, &d.profile.plug, got); err != nil {
		return err
	}
	if got.sayNothing() {
		return cmp.Or(got.failure(), d.batchErr, budget.ErrSpent)
	}
	if got.of(getDeviceInfo).state != answered {
		if d.lacksIdentity() {
			return cmp.Or(got.of(getDeviceInfo).err, budget.ErrSpent)
		}
		return nil
	}
	d.profile.info = got.info.info()
	if d.opts.CheckInfo == nil {
		return nil
	}
	return d.opts.CheckInfo(d.profile.info)
}
