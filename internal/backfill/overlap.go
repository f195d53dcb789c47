// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Prometheus is a running server, or another one with the same API.
type Prometheus struct {
	URL    *url.URL
	Client *http.Client // nil is the default one
	Names  Names
}

// Names is what the exporter calls the series of an outlet.
type Names struct {
	Energy, Power string // metrics
	Outlet        string // the label that holds the outlet's number
}

// hours is what a server has of a series in hours of UTC.
type hours map[time.Time]struct{ least, most float64 }

const (
	// maxHours is how many hours one query may be about: servers allow 11000 points.
	maxHours = 10_000
	// longestMonth is how far away an hour can be that counts for the fit.
	longestMonth = 31 * 24 * time.Hour
	// maxAnswer is how long an answer may be, in bytes; a point of a strip's takes 30.
	maxAnswer = 64 << 20
	// answerTime is the longest that an answer may take.
	answerTime = time.Minute
)

// LeaveOut takes away what a server has: of the energies and powers of the outlets
// of an instance. What is left of the energies is made to fit to what the server
// has before and after.
func (p Prometheus) LeaveOut(ctx context.Context, job, instance string, outlets []Outlet) error {
	from, to := Span(outlets)
	from, to = from.Add(-longestMonth), to.Add(longestMonth)
	energies, err := p.has(ctx, p.Names.Energy, job, instance, from, to)
	if err != nil {
		return err
	}
	powers, err := p.has(ctx, p.Names.Power, job, instance, from, to)
	if err != nil {
		return err
	}
	if len(energies)+len(powers) == 0 {
		return p.checkJob(ctx, job, instance, to)
	}
	for i := range outlets {
		o := &outlets[i]
		all := slices.Clone(o.Energy)
		o.Energy, o.Power = energies[o.Number].leaveOutEnergies(o.Energy, o.Location), powers[o.Number].leaveOut(o.Power)
		energies[o.Number].fit(o.Energy, all, o.Location)
	}
	return nil
}

// checkJob fails if a server has an instance, but of other jobs only.
func (p Prometheus) checkJob(ctx context.Context, job, instance string, at time.Time) error {
	form := url.Values{
		"query": {"group by (job) (last_over_time(" + p.Names.Power + "{instance=" + strconv.Quote(instance) + "}[1y]))"},
		"time":  {at.UTC().Format(time.RFC3339)},
	}
	var vector model.Vector
	if err := p.post(ctx, "query", form, &vector); err != nil {
		return err
	}
	for _, sample := range vector {
		if other := string(sample.Metric["job"]); other != job {
			return fmt.Errorf("the server has %q under the job %q, not %q: give --job=%s", instance, other, job, other)
		}
	}
	return nil
}

// Check asks a server for nothing, to see that it answers.
func (p Prometheus) Check(ctx context.Context) error {
	var vector model.Vector
	return p.post(ctx, "query", url.Values{"query": {"vector(1)"}}, &vector)
}

// has asks what a server has of a metric of an instance's outlets, in the hours
// from one time to another.
func (p Prometheus) has(ctx context.Context, metric, job, instance string, from, to time.Time) (byOutlet map[int]hours, err error) {
	byOutlet = map[int]hours{}
	selector := metric + "{job=" + strconv.Quote(job) + ",instance=" + strconv.Quote(instance) + "}"
	for at := from.Truncate(time.Hour); !at.After(to); at = at.Add(maxHours * time.Hour) {
		end := at.Add((maxHours - 1) * time.Hour)
		if end.After(to) {
			end = to
		}
		least, err := p.queryRange(ctx, "min by ("+p.Names.Outlet+") (min_over_time("+selector+"[1h]))", at, end)
		if err != nil {
			return nil, err
		}
		most, err := p.queryRange(ctx, "max by ("+p.Names.Outlet+") (max_over_time("+selector+"[1h]))", at, end)
		if err != nil {
			return nil, err
		}
		for outlet, values := range least {
			if byOutlet[outlet] == nil {
				byOutlet[outlet] = hours{}
			}
			for hour, v := range values {
				byOutlet[outlet][hour] = struct{ least, most float64 }{v, most[outlet][hour]}
			}
		}
	}
	return byOutlet, nil
}

// queryRange evaluates an expression at the end of every hour, and returns the
// values by outlet and hour.
func (p Prometheus) queryRange(ctx context.Context, expression string, from, to time.Time) (map[int]map[time.Time]float64, error) {
	const untilEnd = time.Hour - time.Millisecond // what is of the next hour is not to be in the range
	stamp := func(t time.Time) string { return t.Truncate(time.Hour).Add(untilEnd).UTC().Format(time.RFC3339Nano) }
	form := url.Values{"query": {expression}, "start": {stamp(from)}, "end": {stamp(to)}, "step": {"1h"}, "nocache": {"1"}} // which VictoriaMetrics does not clear when something is imported
	var matrix model.Matrix
	if err := p.post(ctx, "query_range", form, &matrix); err != nil {
		return nil, err
	}
	values := map[int]map[time.Time]float64{}
	for _, series := range matrix {
		outlet, err := strconv.Atoi(string(series.Metric[model.LabelName(p.Names.Outlet)]))
		if err != nil {
			continue // not one of ours
		}
		values[outlet] = map[time.Time]float64{}
		for _, v := range series.Values {
			hour := v.Timestamp.Time().Add(-time.Millisecond).UTC().Truncate(time.Hour) // some servers round times to the step
			values[outlet][hour] = float64(v.Value)
		}
	}
	return values, nil
}

// post calls a function of the API, and reads its result.
func (p Prometheus) post(ctx context.Context, function string, form url.Values, result any) error {
	client := p.Client
	if client == nil {
		client = http.DefaultClient
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	target := p.URL.JoinPath("api/v1", function).String()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Status string `json:"status"`
		Error  string `json:"error"`
		Data   struct {
			Result any `json:"result"`
		} `json:"data"`
	}
	answer.Data.Result = result
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	switch err := json.Unmarshal(body, &answer); {
	case answer.Error != "":
		return errors.New(answer.Error)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s answers %s", p.URL.Redacted(), resp.Status)
	case err != nil, answer.Status != "success":
		return fmt.Errorf("%s does not answer as Prometheus does", p.URL.Redacted())
	}
	return nil
}

// leaveOut returns the samples of the hours that a server does not have.
func (h hours) leaveOut(samples []Sample) []Sample {
	return slices.DeleteFunc(samples, func(s Sample) bool {
		_, has := h[s.Time.Truncate(time.Hour)]
		return has
	})
}

// leaveOutEnergies does so with a counter. What it has come to in a month is kept
// if the server knows nothing of the hour after, in which it begins anew: what the
// plug drew until then would be lost with it.
func (h hours) leaveOutEnergies(samples []Sample, loc *time.Location) []Sample {
	return slices.DeleteFunc(samples, func(s Sample) bool {
		known, has := h[s.Time.Truncate(time.Hour)]
		next := s.Time.Add(time.Second)
		_, hasNext := h[next.Truncate(time.Hour)]
		endsMonth := !sameMonth(s.Time.In(loc), next.In(loc)) && !hasNext && s.Value >= known.most
		return has && !endsMonth
	})
}

// fit keeps the samples of a counter, between hours that a server has, from
// falling behind the last value before them, or exceeding the first one after
// them, which rounding, and the evenness of days, may make them do: to Prometheus a
// counter that falls has been reset. Other months are of no account, since the
// counter begins anew with each; and a value before is not believed that is above
// all that the plug has counted in the month: it was another plug's.
func (h hours) fit(samples, all []Sample, loc *time.Location) {
	known := make([]time.Time, 0, len(h))
	for hour := range h {
		known = append(known, hour)
	}
	slices.SortFunc(known, time.Time.Compare)
	counted := map[time.Time]float64{} // by the month's beginning
	monthOf := func(t time.Time) time.Time { return firstOf(t.In(loc).Year(), t.In(loc).Month(), loc) }
	for _, s := range all {
		counted[monthOf(s.Time)] = max(counted[monthOf(s.Time)], s.Value+slack)
	}
	for i := range samples {
		s := &samples[i]
		local := s.Time.In(loc)
		after, _ := slices.BinarySearchFunc(known, s.Time, time.Time.Compare)
		if after < len(known) && sameMonth(known[after].In(loc), local) && whole(known[after], loc) {
			s.Value = math.Min(s.Value, h[known[after]].least)
		}
		if after == 0 || !sameMonth(known[after-1].In(loc), local) || !whole(known[after-1], loc) {
			continue
		}
		if before := h[known[after-1]].most; before <= counted[monthOf(local)] {
			s.Value = math.Max(s.Value, before)
		}
	}
}

// slack is what the rounding of a month's days and a day's hours can add up to.
const slack = (31 + 24 + 1) * wattHour

// whole reports whether an hour is within one month.
func whole(hour time.Time, loc *time.Location) bool {
	return sameMonth(hour.In(loc), hour.Add(time.Hour-time.Millisecond).In(loc))
}
