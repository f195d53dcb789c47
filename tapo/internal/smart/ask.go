// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
)

// maxBatch is the number of methods in a batch. Larger ones time out
// (python-kasa/python-kasa#662).
const maxBatch = 5

// askAll asks a unit for the methods that got does not have: in one batch, and then one
// by one for those that the batch left unanswered, and for those that may spoil a batch.
// There is another batch if the plug turns out to be a different one, to have other
// firmware, or to be a strip.
func (d *Dialect) askAll(ctx context.Context, u *unit, got *replies) error {
	var spoilt []*method // the batch that has failed
	defer func() {
		if spoilt != nil && !slices.ContainsFunc(spoilt, func(m *method) bool { return got.of(m).state == failed }) {
			d.doubtBatches(u)
			u.batches.garbled(d.opts.Now())
		}
	}()
	for mayBatch, listsAsked := true, false; ; {
		missing := d.missing(u, got)
		if u.components["child_device"] > 0 && slices.Contains(missing, getChildDeviceList) {
			d.budget.Grant(stripExchanges)
		}
		if len(missing) == 0 || d.budget.Left() == 0 && (u.isChild() || !got.empty()) || d.yield.hopeless(d.opts.Now()) {
			return nil // nothing is missing, the rest waits for the next read, or nothing will come
		}
		lists := missing[0] == getChildDeviceList && !listsAsked
		asked := d.choose(u, missing, got, mayBatch || lists)
		whole, err := d.ask(ctx, u, asked, got)
		if err != nil {
			return err
		}
		if !whole && spoilt == nil {
			spoilt = asked
		}
		mayBatch, listsAsked = !u.isChild() && d.isAnother(got), listsAsked || lists
	}
}

// choose returns the methods of the next request: those of a batch, or a single one.
func (d *Dialect) choose(u *unit, missing []*method, got *replies, mayBatch bool) []*method {
	sparse := d.yield.sparse(d.opts.Now())
	alone := func(m *method) bool { return u.of(m).alone && !sparse }
	if mayBatch && d.takesBatch(u) && !sparse {
		if batch := slices.DeleteFunc(slices.Clone(missing), alone); len(batch) > 1 {
			return batch[:min(len(batch), maxBatch)]
		}
	}
	rank := func(m *method) int {
		if m == componentNego && (len(missing) <= d.budget.Left() && d.yield.some || got.of(getEnergyUsage).state == failed && !d.yield.some) {
			return getDeviceInfo.singleRank // there is time for it, or it has to show whether the plug is a strip
		}
		return m.singleRank
	}
	return []*method{slices.MinFunc(missing, func(a, b *method) int {
		return cmp.Or(order(alone(a))-order(alone(b)), cmp.Compare(rank(a), rank(b)))
	})}
}

// takesBatch reports whether a unit may be asked for several methods at once.
func (d *Dialect) takesBatch(u *unit) bool {
	if s, ok := d.session.(transport.OldestFirmware); ok && s.OldestFirmware() && d.budget.Left() == 1 {
		return false // the plug may refuse the batch, and no request would be left
	}
	now := d.opts.Now()
	return d.batches.allow(now) && d.profile.takesBatch(u, now)
}

// ask asks a unit for a method, or for several in a batch, in one exchange. Methods that
// have no outcome after that are to be asked alone. whole is false if the reply to a batch
// was of no use, or lacks one of its methods. The error is one of the session.
func (d *Dialect) ask(ctx context.Context, u *unit, asked []*method, got *replies) (whole bool, err error) {
	step, batch := asked[0].name, len(asked) > 1
	if batch {
		step = "multipleRequest"
	}
	plain, err := d.session.RoundTrip(ctx, d.request(u, asked, got))
	if err != nil && !concernsRequest(err) {
		d.batches.failed(batch && plugerr.IsUnanswered(err))
		return true, err
	}
	d.yield.barren++ // until something is filed
	if err != nil {
		return d.fileError(ctx, u, asked, err, got), nil
	}
	if !batch {
		d.batches.singleAnswered(d.opts.Now())
	}
	reply, ok := d.decode(plain)
	switch {
	case !ok && batch: // one method may have spoilt it; single requests show which
		d.batchFailed(ctx, fmt.Errorf("%s: %w: not JSON", step, plugerr.ErrBadReply))
		return false, nil
	case !ok:
		d.fileUseless(ctx, u, asked[0], fmt.Errorf("%s: %w: not JSON", step, plugerr.ErrBadReply), got)
		return true, nil
	case plugerr.LosesSession(reply.code()) && (reply.code() == plugerr.CodeSessionTimeout || !d.yield.some):
		return true, fmt.Errorf("%s: %w: error_code %d", step, plugerr.ErrSessionLost, reply.code())
	}
	if !batch && isBusy(reply.code()) && d.busy() {
		return true, d.batchErr
	}
	if u.isChild() {
		if reply = d.openChildReply(ctx, u, asked, reply, got); reply == nil {
			return true, nil
		}
	}
	if batch {
		return d.fileBatch(ctx, u, asked, reply, got)
	}
	d.fileReply(ctx, u, asked[0], reply.code(), &reply.Result.result, got)
	return true, nil
}

// concernsRequest reports whether an error of a session concerns the request alone: the
// plug has refused it in the words of methods, or its web server has not understood it.
func concernsRequest(err error) bool {
	code, ok := errors.AsType[*plugerr.CodeError](err)
	return ok && !errors.Is(err, plugerr.ErrRefused) && code.Code != plugerr.CodeUnknownTransport && !isBusy(code.Code) || plugerr.IsNotAReply(err)
}

// fileError files an error that concerns the request. whole is as for ask.
func (d *Dialect) fileError(ctx context.Context, u *unit, asked []*method, err error, got *replies) (whole bool) {
	batch := len(asked) > 1
	code, refused := errors.AsType[*plugerr.CodeError](err)
	switch {
	case refused && batch:
		d.refuseBatch(ctx, u, code.Code)
	case refused:
		d.fileRefusal(ctx, u, asked[0], code.Code, got)
	case !batch:
		d.fileUseless(ctx, u, asked[0], err, got)
	case errors.Is(err, plugerr.ErrBadReply): // the web page
		d.batchFailed(ctx, err)
		d.doubtBatches(u)
		u.batches.tooLarge(d.opts.Now())
	default: // an HTTP status, for whatever reason
		d.batchFailed(ctx, err)
		return false
	}
	return true
}

// decode decodes a reply, which is void after the next one; ok is false if it is
// not JSON.
func (d *Dialect) decode(plain []byte) (reply *response, ok bool) {
	clear(d.batch[:cap(d.batch)])
	d.response = response{Result: responseResult{Responses: d.batch[:0]}}
	return &d.response, lenient.Unmarshal(plain, &d.response)
}

// openChildReply returns what a child has answered in the reply to control_child,
// or nil after filing why it has not.
func (d *Dialect) openChildReply(ctx context.Context, u *unit, asked []*method, reply *response, got *replies) *response {
	inner, code := reply.Result.ResponseData, reply.code()
	switch {
	case code == 0 && inner != nil:
		return inner
	case len(asked) > 1 && !isBusy(code):
		d.refuseBatch(ctx, u, code)
	case code == 0:
		d.fileUseless(ctx, u, asked[0], fmt.Errorf("%s: %w", asked[0].name, ErrSaysNothing), got)
	case isBusy(code):
		d.skipUnit(ctx, u, code, got)
	default:
		d.fileRefusal(ctx, u, asked[0], code, got)
	}
	return nil
}

// fileBatch files the reply to a batch.
func (d *Dialect) fileBatch(ctx context.Context, u *unit, asked []*method, reply *response, got *replies) (whole bool, err error) {
	d.batch = reply.Result.Responses
	switch code := reply.code(); {
	case isBusy(code): // or it does not take batches, which a single request shows
		d.batchFailed(ctx, &plugerr.CodeError{Step: "multipleRequest", Code: code})
		return false, nil
	case code != 0 || len(d.batch) == 0:
		d.refuseBatch(ctx, u, code)
		return true, nil
	}
	ended := false
	for i := range d.batch {
		r := &d.batch[i]
		if r.Method == "" { // it cannot be matched
			continue
		}
		m := methodNamed(string(r.Method))
		switch {
		case m == nil:
			continue
		case !slices.Contains(asked, m):
			d.batchFailed(ctx, fmt.Errorf("multipleRequest: %w: the reply to another request", plugerr.ErrBadReply))
			return false, nil
		}
		d.fileEntry(ctx, u, m, r, got)
		ended = ended || r.code() != 0
	}
	lacks := !ended && slices.ContainsFunc(asked, func(m *method) bool { return got.of(m).state == unasked && !u.of(m).alone })
	if !lacks {
		u.batches.answered()
	}
	d.batches.batchAnswered()
	return !lacks, nil
}

// fileEntry files a reply of a batch. A method that the unit has answered before gets a
// second try, alone, if it fails for no lasting reason.
func (d *Dialect) fileEntry(ctx context.Context, u *unit, m *method, r *response, got *replies) {
	if u.of(m).works() && (r.code() == 0 && r.Result.saysNothing() || isUnclear(r.code())) {
		u.record(m).alone = true
		return
	}
	d.fileReply(ctx, u, m, r.code(), &r.Result.result, got)
}

// refuseBatch records that a unit refuses batches. Code 0 means that its reply is none to a
// batch.
func (d *Dialect) refuseBatch(ctx context.Context, u *unit, code int) {
	err := error(&plugerr.CodeError{Step: "multipleRequest", Code: code})
	if code == 0 {
		err = fmt.Errorf("multipleRequest: %w", ErrSaysNothing)
	}
	d.batchFailed(ctx, err)
	d.doubtBatches(u)
	u.batches.refused(code, d.opts.Now())
}

// undo is how a unit answered batches before this conversation.
type undo struct {
	unit    *unit
	batches unitBatches
}

// doubtBatches prepares a change of how a unit answers batches. It is undone if nothing is
// answered in this conversation: then batches are not what has failed.
func (d *Dialect) doubtBatches(u *unit) {
	if !d.yield.some {
		d.undo = append(d.undo, undo{u, u.batches})
	}
}

// busy reports whether the plug has answered a batch with the code of a busy one, and
// nothing else since then.
func (d *Dialect) busy() bool {
	code, ok := errors.AsType[*plugerr.CodeError](d.batchErr)
	return ok && isBusy(code.Code) && !d.yield.some
}

// batchFailed records why single requests follow.
func (d *Dialect) batchFailed(ctx context.Context, err error) {
	d.opts.Logger.DebugContext(ctx, "The plug does not take this batch, asking one by one", "err", err)
	d.batchErr = err
}

// skipUnit leaves a child that is busy out of this read.
func (d *Dialect) skipUnit(ctx context.Context, u *unit, code int, got *replies) {
	d.opts.Logger.DebugContext(ctx, "Outlet refused", "outlet", u.number, "error_code", code, "meaning", plugerr.CodeName(code))
	for _, m := range methods {
		if got.of(m).state == unasked {
			got.fail(m, &plugerr.CodeError{Step: "control_child", Code: code})
		}
	}
}
