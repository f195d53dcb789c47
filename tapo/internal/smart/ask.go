// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
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
// by one for those that the batch left unanswered. There is another batch if the plug
// turns out to be a different one, to have other firmware, or to be a strip.
func (d *Dialect) askAll(ctx context.Context, u *unit, got *replies) error {
	for mayBatch, listsAsked := true, false; ; {
		missing := d.missing(u, got)
		if u.components["child_device"] > 0 && slices.Contains(missing, getChildDeviceList) {
			d.budget.Grant(stripExchanges)
		}
		if len(missing) == 0 || missing[0] != getDeviceInfo && d.budget.Left() == 0 {
			return nil // nothing is missing, or the rest waits for the next read
		}
		lists := missing[0] == getChildDeviceList && !listsAsked
		if (mayBatch || lists) && d.takesBatch(u) {
			missing = missing[:min(len(missing), maxBatch)]
		} else {
			missing = missing[:1]
		}
		if err := d.ask(ctx, u, missing, got); err != nil {
			return err
		}
		mayBatch, listsAsked = !u.isChild() && d.isAnother(got), listsAsked || lists
	}
}

// takesBatch reports whether a unit may be asked for several methods at once.
func (d *Dialect) takesBatch(u *unit) bool {
	if s, ok := d.session.(transport.OldestFirmware); ok && s.OldestFirmware() && d.budget.Left() == 1 {
		return false // the plug may refuse the batch, and no request would be left
	}
	now := d.opts.Now()
	return d.batches.allow(now) && d.profile.takesBatch(u, now)
}

// ask asks a unit for a method, or for several in a batch, in one exchange. If the plug
// refuses batches, ask records that, and returns no error although got is unchanged.
func (d *Dialect) ask(ctx context.Context, u *unit, asked []*method, got *replies) error {
	step, batch := asked[0].name, len(asked) > 1
	if batch {
		step = "multipleRequest"
	}
	plain, err := d.session.RoundTrip(ctx, d.request(u, asked, got))
	if batch && cannotParse(err) {
		d.refuseBatch(ctx, u, plugerr.CodeJSONDecode)
		return nil
	}
	if err != nil {
		d.batches.failed(batch && plugerr.IsUnanswered(err))
		return err
	}
	if !batch {
		d.batches.singleAnswered(d.opts.Now())
	}
	reply, ok := d.decode(plain)
	switch {
	case !ok && batch:
		return nil // some firmware garbles batches; single requests show whether the session is valid
	case !ok:
		return fmt.Errorf("%s: %w: not JSON", step, plugerr.ErrBadReply)
	case plugerr.LosesSession(reply.code()):
		return fmt.Errorf("%s: %w: error_code %d", step, plugerr.ErrSessionLost, reply.code())
	}
	if u.isChild() {
		if reply = d.openChildReply(ctx, u, batch, reply, got); reply == nil {
			return nil
		}
	}
	if batch {
		return d.fileBatch(ctx, u, asked, reply, got)
	}
	d.fileReply(ctx, u, asked[0], reply.code(), &reply.Result.result, got)
	return nil
}

// cannotParse reports whether a transport's error is that the plug could not parse
// a request, as plugs say of batches that they do not know.
func cannotParse(err error) bool {
	code, ok := errors.AsType[*plugerr.CodeError](err)
	return ok && code.Code == plugerr.CodeJSONDecode && !errors.Is(err, plugerr.ErrRefused)
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
func (d *Dialect) openChildReply(ctx context.Context, u *unit, batch bool, reply *response, got *replies) *response {
	inner := reply.Result.ResponseData
	switch failed := reply.code() != 0 || inner == nil; {
	case !failed:
		return inner
	case batch && !isBusy(reply.code()):
		d.refuseBatch(ctx, u, reply.code())
	default:
		d.skipUnit(ctx, u, reply.code(), got)
	}
	return nil
}

// fileBatch files the reply to a batch.
func (d *Dialect) fileBatch(ctx context.Context, u *unit, asked []*method, reply *response, got *replies) error {
	d.batch = reply.Result.Responses
	switch code := reply.code(); {
	case isBusy(code) && !u.isChild():
		return &plugerr.CodeError{Step: "multipleRequest", Code: code}
	case isBusy(code):
		d.skipUnit(ctx, u, code, got)
		return nil
	case code != 0 || len(d.batch) == 0:
		d.refuseBatch(ctx, u, code)
		return nil
	}
	nameless, ended := false, false
	for i := range d.batch {
		r := &d.batch[i]
		if r.Method == "" {
			nameless = true
			continue
		}
		m := methodNamed(string(r.Method))
		if !slices.Contains(asked, m) {
			d.refuseBatch(ctx, u, 0) // it is the reply to another request
			return nil
		}
		d.fileReply(ctx, u, m, r.code(), &r.Result.result, got)
		ended = ended || r.code() != 0
	}
	if missed := slices.ContainsFunc(asked, func(m *method) bool { return got.of(m).state == unasked }); missed && !ended && nameless {
		d.refuseBatch(ctx, u, 0) // replies without a method cannot be matched
		return nil
	}
	u.tookBatch = true
	d.batches.batchAnswered()
	return nil
}

// refuseBatch records that a unit accepts no batches, or none for a while.
func (d *Dialect) refuseBatch(ctx context.Context, u *unit, code int) {
	d.opts.Logger.DebugContext(ctx, "The plug does not take batches, asking one by one", "error_code", code, "meaning", plugerr.CodeName(code))
	switch code {
	case 0, plugerr.CodeJSONDecode, plugerr.CodeUnknownMethod, plugerr.CodeParams, plugerr.CodeMultiRequestFailed:
		u.noBatch = true
	default:
		u.noBatchUntil = d.opts.Now().Add(unavailableLife)
	}
}

// isBusy reports whether an error code means that the plug is busy.
func isBusy(code int) bool {
	return code == plugerr.CodeBusy || code == plugerr.CodeCommandCancel || code == plugerr.CodeHTTPTransport
}

// skipUnit leaves a child that refuses all requests out of this read.
func (d *Dialect) skipUnit(ctx context.Context, u *unit, code int, got *replies) {
	d.opts.Logger.DebugContext(ctx, "Socket refused", "error_code", code, "meaning", plugerr.CodeName(code))
	for _, m := range methods {
		if got.of(m).state != unasked {
			continue
		}
		got.set(m, refused, code)
		if code == plugerr.CodeUnknownMethod || code == plugerr.CodeParams {
			u.record(m).refusedUntil = d.opts.Now().Add(unavailableLife)
		}
	}
}

// fileReply files the reply to one method.
func (d *Dialect) fileReply(ctx context.Context, u *unit, m *method, code int, res *result, got *replies) {
	if code == 0 {
		m.file(u, got, res)
		got.set(m, answered, 0)
		u.record(m).answered = true
	} else {
		d.fileRefusal(ctx, u, m, code, got)
	}
	u.record(m).done = true
	if m.lacking != nil && m.lacking(u) {
		u.record(m).refusedUntil = d.opts.Now().Add(refusalLife)
	}
	if d.opts.Method != nil {
		d.opts.Method(m.name, code)
	}
}

// fileRefusal files an error code. If the unit has answered the method before, it has the
// method, and the refusal is temporary whatever the code.
func (d *Dialect) fileRefusal(ctx context.Context, u *unit, m *method, code int, got *replies) {
	d.opts.Logger.DebugContext(ctx, "Method refused", "method", m.name, "error_code", code, "meaning", plugerr.CodeName(code))
	if m.pages != nil {
		if _, have, _ := m.pages(got); have > 0 {
			return // of a further page: the earlier pages stay valid
		}
	}
	got.set(m, refused, code)
	if m.clear != nil {
		m.clear(u)
	}
	switch h := u.record(m); {
	case (code == plugerr.CodeUnknownMethod || code == plugerr.CodeParams) && !h.answered:
		h.refusedUntil = d.opts.Now().Add(refusalLife)
	case code == plugerr.CodeUnknownMethod, code == plugerr.CodeParams, code == plugerr.CodeUnspecific:
		h.answered = false // goes last in a batch, since a refusal ends the batch
		h.refusedUntil = d.opts.Now().Add(unavailableLife)
	}
}
