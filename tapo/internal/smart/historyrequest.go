// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// The methods of the histories that a plug stores.
const (
	getEnergyData = "get_energy_data"
	getPowerData  = "get_power_data"
)

// maxHistoryOffset is the largest clock offset with which slots are used: half of an hourly
// slot.
const maxHistoryOffset = 30 * time.Minute

// historyReply is the reply to one of these methods.
type historyReply struct {
	ErrorCode lenient.Number `json:"error_code"`
	Result    struct {
		LocalTime lenient.Text     `json:"local_time"`
		Data      []lenient.Number `json:"data"`
		Start     lenient.Number   `json:"start_timestamp"`

		ResponseData *historyReply `json:"responseData"` // of control_child
	} `json:"result"`
}

// askHistory reads one window of a unit, in one exchange. It returns the values, where a
// negative value is missing, and the time up to which the plug can have recorded any.
func (d *Dialect) askHistory(ctx context.Context, u *unit, m string, i plug.Interval, w window) ([]float64, time.Time, error) {
	if err := d.pause(ctx); err != nil {
		return nil, time.Time{}, err
	}
	plain, err := d.session.RoundTrip(ctx, d.envelope(u, func(b []byte) []byte { return appendHistoryCall(b, m, i, w) }))
	d.pauseUntil = time.Now().Add(historyPause)
	if err != nil {
		return nil, time.Time{}, err
	}
	var reply historyReply
	if !lenient.Unmarshal(plain, &reply) {
		return nil, time.Time{}, fmt.Errorf("%s: %w: not JSON", m, plugerr.ErrBadReply)
	}
	if inner := reply.Result.ResponseData; inner != nil && reply.ErrorCode.Value == 0 {
		reply = *inner
	}
	if err := d.refusesHistory(ctx, u, m, int(reply.ErrorCode.Value)); err != nil {
		return nil, time.Time{}, err
	}
	now, err := d.clockOf(ctx, u, string(reply.Result.LocalTime))
	if err != nil {
		return nil, time.Time{}, err
	}
	if at := reply.Result.Start; at.Valid && int64(at.Value) != w.start.Unix() {
		return nil, time.Time{}, fmt.Errorf("%s: %w: asked for what begins at %v, the plug tells what begins at %v",
			m, plugerr.ErrBadReply, w.start.UTC(), time.Unix(int64(at.Value), 0).UTC())
	}
	values := make([]float64, len(reply.Result.Data))
	for n, v := range reply.Result.Data {
		if values[n] = v.Value; !v.Valid {
			values[n] = -1
		}
	}
	return values, now, nil
}

// pause waits until historyPause has passed since the last request.
func (d *Dialect) pause(ctx context.Context) error {
	wait := time.NewTimer(time.Until(d.pauseUntil))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func appendHistoryCall(b []byte, m string, i plug.Interval, w window) []byte {
	b = append(append(append(b, `{"method":"`...), m...), `","params":{"start_timestamp":`...)
	b = strconv.AppendInt(b, w.start.Unix(), 10)
	b = strconv.AppendInt(append(b, `,"end_timestamp":`...), w.until.Unix(), 10)
	return append(strconv.AppendInt(append(b, `,"interval":`...), int64(i), 10), "}}"...)
}

// refusesHistory returns the error for a code other than 0. The code of a plug whose clock
// was never set is that of a plug without a history, so the clock is checked.
func (d *Dialect) refusesHistory(ctx context.Context, u *unit, m string, code int) error {
	refusal := &plugerr.CodeError{Step: m, Code: code}
	switch {
	case code == 0:
		return nil
	case plugerr.LosesSession(code):
		return fmt.Errorf("%s: %w: error_code %d", m, plugerr.ErrSessionLost, code)
	case code != plugerr.CodeUnknownMethod && code != plugerr.CodeParams && code != plugerr.CodeUnspecific && code != plugerr.CodeStatistics:
		return refusal
	case m == getPowerData && code != plugerr.CodeStatistics:
		return &HistoryError{plug.ErrNoHistory, refusal.Error(), "Only newer firmware has it. Update the plug's firmware in the Tapo app."}
	}
	if _, err := d.clockOf(ctx, u, ""); err != nil {
		return err
	}
	if code == plugerr.CodeUnspecific || code == plugerr.CodeStatistics { // the refusal is temporary
		return refusal
	}
	return &HistoryError{plug.ErrNoHistory, refusal.Error(), "Update the plug's firmware in the Tapo app."}
}

// clockOf returns the present time by the plug's clock, or by ours if that is earlier: the
// plug can have recorded values up to then. If the reply has no local_time, clockOf reads
// get_energy_usage, once for a plug.
func (d *Dialect) clockOf(ctx context.Context, u *unit, localTime string) (time.Time, error) {
	now := d.opts.Now()
	if localTime == "" && d.profile.clockRead {
		return now.Add(-d.profile.clockBehind), nil
	}
	if localTime == "" {
		got := newReplies()
		if _, err := d.ask(ctx, u, []*method{getEnergyUsage}, got); err != nil {
			return now, err
		}
		localTime = string(got.energy.LocalTime)
	}
	d.profile.clockRead = true
	offset, known := readClock(localTime, d.profile.zone, now).offset.Get()
	switch {
	case !known:
		return now, nil
	case offset.Abs() > maxHistoryOffset:
		return now, &HistoryError{plug.ErrNoClock, fmt.Sprintf("it is %v off", offset.Round(time.Minute)), noClockAdvice}
	}
	d.profile.clockBehind = max(0, -offset)
	return now.Add(-d.profile.clockBehind), nil
}
