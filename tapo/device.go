// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"errors"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/budget"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
)

const (
	// maxExchanges is how many exchanges one read may take, before the dialect grants
	// more for strips and histories.
	maxExchanges = 8
	// maxIdle is how long a connection is kept that nobody uses: a plug has few.
	maxIdle = 2 * time.Minute
)

// Device is a plug. Its methods are safe for concurrent use; reads of one plug
// happen one after the other, since a plug holds one conversation at a time.
type Device struct {
	cfg      Config
	turn     chan struct{} // holds a token during a conversation; guards what follows
	login    *login
	spoken   openDialect
	budget   *budget.Budget // of the conversation under way
	idle     *time.Timer    // gives up the connection
	previous *Device        // what Replace was given, until its conversation is over
}

// New returns a device. It does no I/O; an error says what is wrong with cfg.
func New(cfg Config) (*Device, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	b := new(budget.Budget)
	d := &Device{cfg: cfg, turn: make(chan struct{}, 1), login: newLogin(cfg, b), budget: b}
	d.idle = time.AfterFunc(maxIdle, d.hangUp)
	d.idle.Stop()
	return d, nil
}

// Protocol returns what the live session speaks, "" when there is none.
func (d *Device) Protocol() Protocol { return d.login.standing() }

// Components returns what the plug has listed in component_nego, and the
// versions of that; nil before it has. It waits for a read in flight.
func (d *Device) Components() map[string]int {
	d.turn <- struct{}{}
	defer func() { <-d.turn }()
	if l, ok := d.spoken.dialect.(lister); ok {
		return l.Components()
	}
	return nil
}

// Read asks the plug for everything there is to know, logging in if need be.
// The error is an [*Error]. ctx bounds the whole of it, waiting for another
// caller's read included.
func (d *Device) Read(ctx context.Context) (Reading, error) {
	var reading Reading
	err := d.converse(ctx, func(ctx context.Context, s *session) error {
		spoken, err := d.dialectFor(s)
		if err == nil {
			reading, err = spoken.Read(ctx, s, d.budget)
		}
		return err
	})
	if err != nil {
		return Reading{}, err
	}
	reading.Protocol = d.login.protocol()
	return reading, nil
}

// question is what a conversation is about. It is asked anew over another session
// where the first one is lost.
type question func(ctx context.Context, s *session) error

// converse waits for its turn and talks to the plug. The error is an [*Error].
func (d *Device) converse(ctx context.Context, ask question) error {
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return newError(d.cfg.Address, "", ctx.Err())
	}
	defer func() { <-d.turn }()
	if err := d.askHealing(ctx, ask); err != nil {
		return newError(d.cfg.Address, d.login.protocol(), err)
	}
	return nil
}

// askHealing asks, and once more over a new login if that may mend what went
// wrong. There is no new login while logins rest that have led to nothing. If a
// session is lost twice in one read, another client uses the plug; then that is the
// error.
func (d *Device) askHealing(ctx context.Context, ask question) error {
	if err := d.endPrevious(ctx); err != nil {
		return err
	}
	if err := d.login.coolingDown(); err != nil {
		return err
	}
	began := d.cfg.Now()
	d.budget.Begin(maxExchanges)
	d.login.begin()
	defer func() {
		if d.budget.Spent() > 0 { // else the connection was not needed
			d.idle.Reset(maxIdle)
		}
	}()

	err := d.askOnce(ctx, ask)
	if wantsLogin(err) && d.budget.Left() > 0 && d.login.rest.renews(err, d.cfg.Now()) {
		d.login.lose(ctx, err)
		first := err
		if err = d.askOnce(ctx, ask); errors.Is(err, budget.ErrSpent) {
			err = first
		}
	}
	if d.spoken.dialect != nil {
		d.spoken.Ended(err)
	}
	d.login.ended(err, began)
	if err == nil {
		return nil
	}
	return d.login.resting(err)
}

// askOnce asks over the session at hand, or over a new one.
func (d *Device) askOnce(ctx context.Context, ask question) error {
	s, err := d.login.ensure(ctx)
	if err != nil {
		return err
	}
	err = ask(ctx, s)
	if rejected, ok := errors.AsType[*transport.Rejected](err); ok { // the plug has locked itself meanwhile
		return d.login.recordLock(ctx, rejected)
	}
	return err
}

// Close gives up the session and its connection, waiting for a read in flight.
// The device stays usable: the next read logs in again.
func (d *Device) Close() {
	d.turn <- struct{}{}
	defer func() { <-d.turn }()
	if d.previous != nil {
		d.previous.Close()
	}
	d.stop()
}

func (d *Device) stop() {
	d.login.drop()
	d.idle.Stop()
	d.login.link.HTTP.Close()
}

// hangUp gives up the connection, and nothing else, of a plug that is not being
// read.
func (d *Device) hangUp() {
	select {
	case d.turn <- struct{}{}:
		d.login.link.HTTP.Close()
		<-d.turn
	default: // a conversation is under way
		d.idle.Reset(maxIdle)
	}
}
