// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// A method that fails costs its own values, and nothing else. It is left out for a while,
// so that the next read is one exchange again, and is then asked alone: its reply may
// spoil a batch, as that of get_emeter_data does on P410M while power is fed back
// (python-kasa/python-kasa#1758). If nothing else is answered, it is not the method that
// has failed, and nothing is left out.

const (
	// refusalLife is the time without a method that the unit does not have.
	refusalLife = 24 * time.Hour
	// unavailableLife is the time without a method that the unit has but that fails.
	unavailableLife = 10 * time.Minute
)

// ErrSaysNothing means that a reply has no member that a plug of this dialect would send.
var ErrSaysNothing = errors.New("the reply has nothing that a Tapo plug would send")

// fileReply files the reply to one method.
func (d *Dialect) fileReply(ctx context.Context, u *unit, m *method, code int, res *result, got *replies) {
	switch {
	case code != 0:
		d.fileRefusal(ctx, u, m, code, got)
		return
	case res.saysNothing():
		d.fileUseless(ctx, u, m, fmt.Errorf("%s: %w", m.name, ErrSaysNothing), got)
		return
	}
	m.file(u, got, res)
	got.answer(m)
	h := u.record(m)
	*h = methodHistory{answered: true, filed: d.opts.Now()}
	if m.lacking != nil && m.lacking(u) {
		h.restsUntil = d.opts.Now().Add(refusalLife)
	}
	d.yield.some, d.yield.barren = true, 0
	d.letRest()
	d.report(u, m, nil)
}

// fileRefusal files an error code. If the unit has answered the method before, or announces
// it, the refusal is temporary whatever the code.
func (d *Dialect) fileRefusal(ctx context.Context, u *unit, m *method, code int, got *replies) {
	d.opts.Logger.DebugContext(ctx, "Method refused", "method", m.name, "error_code", code, "meaning", plugerr.CodeName(code))
	unknown := code == plugerr.CodeUnknownMethod || code == plugerr.CodeParams
	switch {
	case isPassing(code):
		d.fail(u, m, &plugerr.CodeError{Step: m.name, Code: code}, 0, got)
	case unknown && !u.of(m).answered && !u.announces(m):
		d.fail(u, m, &plugerr.CodeError{Step: m.name, Code: code}, refusalLife, got)
	default:
		d.fail(u, m, &plugerr.CodeError{Step: m.name, Code: code}, unavailableLife, got)
	}
}

// fileUseless files a reply that is of no use.
func (d *Dialect) fileUseless(ctx context.Context, u *unit, m *method, err error, got *replies) {
	d.opts.Logger.DebugContext(ctx, "Method failed", "method", m.name, "err", err)
	d.fail(u, m, err, unavailableLife, got)
}

// fail records that a method has failed, and is not asked for a while.
func (d *Dialect) fail(u *unit, m *method, err error, rest time.Duration, got *replies) {
	d.report(u, m, err)
	if m.pages != nil {
		if _, have, _ := m.pages(got); have > 0 {
			return // of a further page: the earlier pages stay valid
		}
	}
	got.fail(m, err)
	if m.clear != nil {
		m.clear(u)
	}
	d.failures = append(d.failures, failure{u.record(m), rest})
	if d.yield.some {
		d.letRest()
	}
}

// failure is a method that has failed in this conversation, and how long it is to rest.
type failure struct {
	history *methodHistory
	rest    time.Duration
}

// letRest lets the methods rest that have failed, and keeps what batches have shown.
func (d *Dialect) letRest() {
	d.undo = d.undo[:0]
	now := d.opts.Now()
	for _, f := range d.failures {
		*f.history = methodHistory{
			answered: f.history.answered, failed: true, // it goes last in a batch, which a refusal ends
			filed: now, restsUntil: now.Add(f.rest), alone: f.rest == unavailableLife,
		}
	}
	d.failures = d.failures[:0]
}

// report calls the hook for replies.
func (d *Dialect) report(u *unit, m *method, err error) {
	if d.opts.Method == nil {
		return
	}
	reply := plug.MethodReply{Method: m.name, Outlet: u.number, Err: err}
	if refusal, ok := errors.AsType[*plugerr.CodeError](err); ok {
		reply.Code = refusal.Code
	}
	d.opts.Method(reply)
}

// isBusy reports whether an error code means that the plug is busy.
func isBusy(code int) bool {
	return code == plugerr.CodeBusy || code == plugerr.CodeCommandCancel || code == plugerr.CodeHTTPTransport
}

// isPassing reports whether an error code is that of a plug that is busy, or whose clock
// is not set yet. The next read asks again.
func isPassing(code int) bool {
	switch code {
	case plugerr.CodeStatistics, plugerr.CodeStatisticsSave, plugerr.CodeTime, plugerr.CodeTimeSys, plugerr.CodeTimeSave:
		return true
	}
	return isBusy(code)
}

// isUnclear reports whether an error code does not say why the method fails.
func isUnclear(code int) bool {
	return code != 0 && code != plugerr.CodeUnknownMethod && code != plugerr.CodeParams && !isPassing(code)
}
