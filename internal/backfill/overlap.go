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
}

// hours is what a server has of a series in hours of UTC.
type hours map[time.Time]struct{ least, most float64 }

const (
	// maxHours is how many hours one query may be about: servers allow 11000 points.
	maxHours = 10_000
	// maxAnswer is how long an answer may be, in bytes; a point of a strip's takes 30.
	maxAnswer = 64 << 20
)

// LeaveOut takes away what a server has: of the energies and powers, under their
// names as metrics, of the outlets of an instance. What is left of the energies
// is made to fit to what the server has before and after.
func (p Prometheus) LeaveOut(ctx context.Context, energy, power, job, instance string, outlets []Outlet) error {
	from, to := Span(outlets)
	// The hours around the samples count for the fit: those of their month at least.
	from, to = from.AddDate(0, -1, 0), to.AddDate(0, 1, 0)
	energies, err := p.has(ctx, energy, job, instance, from, to)
	if err != nil {
		return err
	}
	powers, err := p.has(ctx, power, job, instance, from, to)
	if err != nil {
		return err
	}
	for i := range outlets {
		o := &outlets[i]
		o.Energy, o.Power = energies[o.Number].leaveOut(o.Energy), powers[o.Number].leaveOut(o.Power)
		energies[o.Number].fit(o.Energy, o.Location)
	}
	return nil
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
		least, err := p.queryRange(ctx, "min by (outlet) (min_over_time("+selector+"[1h]))", at, end)
		if err != nil {
			return nil, err
		}
		most, err := p.queryRange(ctx, "max by (outlet) (max_over_time("+selector+"[1h]))", at, end)
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
	form := url.Values{"query": {expression}, "start": {stamp(from)}, "end": {stamp(to)}, "step": {"1h"}}
	matrix, err := p.post(ctx, form)
	if err != nil {
		return nil, fmt.Errorf("--check-overlap: %w", err)
	}
	values := map[int]map[time.Time]float64{}
	for _, series := range matrix {
		outlet, err := strconv.Atoi(string(series.Metric["outlet"]))
		if err != nil {
			continue // not one of ours
		}
		values[outlet] = map[time.Time]float64{}
		for _, v := range series.Values {
			values[outlet][v.Timestamp.Time().UTC().Truncate(time.Hour)] = float64(v.Value)
		}
	}
	return values, nil
}

func (p Prometheus) post(ctx context.Context, form url.Values) (model.Matrix, error) {
	client := p.Client
	if client == nil {
		client = http.DefaultClient
	}
	target := p.URL.JoinPath("api/v1/query_range").String()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Status string `json:"status"`
		Error  string `json:"error"`
		Data   struct {
			Result model.Matrix `json:"result"`
		} `json:"data"`
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	switch err := json.Unmarshal(body, &answer); {
	case answer.Error != "":
		return nil, errors.New(answer.Error)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %s", p.URL.Redacted(), resp.Status)
	case err != nil, answer.Status != "success":
		return nil, fmt.Errorf("%s does not answer as Prometheus does", p.URL.Redacted())
	}
	return answer.Data.Result, nil
}

// leaveOut returns the samples of the hours that a server does not have.
func (h hours) leaveOut(samples []Sample) []Sample {
	return slices.DeleteFunc(samples, func(s Sample) bool {
		_, has := h[s.Time.Truncate(time.Hour)]
		return has
	})
}

// fit keeps the samples of a counter, between hours that a server has, from
// falling behind the last value before them, or exceeding the first one after
// them, which rounding may make them do: to Prometheus a counter that falls has
// been reset. It knows nothing of other months, where the counter begins anew.
func (h hours) fit(samples []Sample, loc *time.Location) {
	known := make([]time.Time, 0, len(h))
	for hour := range h {
		known = append(known, hour)
	}
	slices.SortFunc(known, time.Time.Compare)
	for i := range samples {
		s := &samples[i]
		after, _ := slices.BinarySearchFunc(known, s.Time, time.Time.Compare)
		if after < len(known) && sameMonth(known[after].In(loc), s.Time.In(loc)) && whole(known[after], loc) {
			s.Value = math.Min(s.Value, h[known[after]].least)
		}
		if after > 0 && sameMonth(known[after-1].In(loc), s.Time.In(loc)) && whole(known[after-1], loc) {
			s.Value = math.Max(s.Value, h[known[after-1]].most)
		}
	}
}

// whole reports whether an hour is within one month.
func whole(hour time.Time, loc *time.Location) bool {
	return sameMonth(hour.In(loc), hour.Add(time.Hour-time.Millisecond).In(loc))
}
