// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

const (
	// maxHours is how many hours one query may be about: servers allow 11000 points.
	maxHours = 10_000
	// maxAnswer is how long an answer may be, in bytes. A point of a strip takes 30.
	maxAnswer = 64 << 20
	// answerTime is the longest that an answer may take.
	answerTime = time.Minute
)

// Check runs a query without data, to see that a server answers.
func (p Prometheus) Check(ctx context.Context) error {
	var vector model.Vector
	return p.post(ctx, "query", url.Values{"query": {"vector(1)"}}, &vector)
}

// checkJob fails if a server has series of an instance, but under other jobs only.
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

// coverage returns what a server has of a metric of an instance's outlets, in the
// hours from one time to another.
func (p Prometheus) coverage(ctx context.Context, metric, job, instance string, from, to time.Time) (byOutlet map[int]hourly, err error) {
	byOutlet = map[int]hourly{}
	selector := metric + "{job=" + strconv.Quote(job) + ",instance=" + strconv.Quote(instance) + "}"
	for at := from.Truncate(time.Hour); !at.After(to); at = at.Add(maxHours * time.Hour) {
		end := at.Add((maxHours - 1) * time.Hour)
		if end.After(to) {
			end = to
		}
		lowest, err := p.queryRange(ctx, "min by ("+p.Names.Outlet+") (min_over_time("+selector+"[1h]))", at, end)
		if err != nil {
			return nil, err
		}
		highest, err := p.queryRange(ctx, "max by ("+p.Names.Outlet+") (max_over_time("+selector+"[1h]))", at, end)
		if err != nil {
			return nil, err
		}
		for outlet, values := range lowest {
			if byOutlet[outlet] == nil {
				byOutlet[outlet] = hourly{}
			}
			for hour, v := range values {
				byOutlet[outlet][hour] = extremes{v, highest[outlet][hour]}
			}
		}
	}
	return byOutlet, nil
}

// queryRange evaluates an expression at the end of every hour, and returns the
// values by outlet and hour.
func (p Prometheus) queryRange(ctx context.Context, expression string, from, to time.Time) (map[int]map[time.Time]float64, error) {
	const untilEnd = time.Hour - time.Millisecond // a range includes both of its ends
	stamp := func(t time.Time) string { return t.Truncate(time.Hour).Add(untilEnd).UTC().Format(time.RFC3339Nano) }
	// VictoriaMetrics does not clear its cache on an import, hence nocache.
	form := url.Values{"query": {expression}, "start": {stamp(from)}, "end": {stamp(to)}, "step": {"1h"}, "nocache": {"1"}}
	var matrix model.Matrix
	if err := p.post(ctx, "query_range", form, &matrix); err != nil {
		return nil, err
	}
	values := map[int]map[time.Time]float64{}
	for _, series := range matrix {
		outlet, err := strconv.Atoi(string(series.Metric[model.LabelName(p.Names.Outlet)]))
		if err != nil {
			continue // not a series of this exporter
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
