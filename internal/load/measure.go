// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// result is one measurement.
type result struct {
	plugs, scrapes, failed int
	seen                   tally // by the plugs, while measuring
	p50, p99               time.Duration
	elapsed, cpuTime       time.Duration
	memory                 uint64 // bytes resident
}

func (r *result) requestsPerRead() float64  { return float64(r.seen.Requests) / float64(r.seen.Reads) }
func (r *result) cpu() float64              { return r.cpuTime.Seconds() / r.elapsed.Seconds() }
func (r *result) cpuPerRead() time.Duration { return r.cpuTime / time.Duration(max(1, r.seen.Reads)) }

// judge returns the targets that were missed.
func (r *result) judge(o options, fewer *result, strict bool) error {
	var missed []error
	miss := func(format string, args ...any) {
		missed = append(missed, fmt.Errorf("%d plugs: "+format, append([]any{r.plugs}, args...)...))
	}
	if expected := r.plugs * int(o.duration/o.interval); r.failed > 0 || r.scrapes < expected*9/10 {
		miss("%d of %d scrapes failed, %d were expected", r.failed, r.scrapes, expected)
	}
	if r.seen.Requests != r.seen.Reads || r.seen.Logins > 0 {
		miss("%d requests and %d logins for %d warm reads", r.seen.Requests, r.seen.Logins, r.seen.Reads)
	}
	if !strict {
		return errors.Join(missed...)
	}
	if most := time.Duration(maxLatency * float64(o.latency)); r.p99 > most {
		miss("scrape p99 %v, want %v at most", r.p99, most)
	}
	if r.memory > maxMemory {
		miss("%d bytes resident, want %d at most", r.memory, maxMemory)
	}
	if r.cpu() > maxCPU {
		miss("%.2f of a core, want %.2f at most", r.cpu(), maxCPU)
	}
	if fewer != nil && float64(r.cpuPerRead()) > maxGrowth*float64(fewer.cpuPerRead()) {
		miss("%v of CPU per read, %v with %d plugs", r.cpuPerRead(), fewer.cpuPerRead(), fewer.plugs)
	}
	return errors.Join(missed...)
}

// measure starts everything, lets all plugs be logged in to, and measures.
func measure(ctx context.Context, dir string, n int, o options) (result, error) {
	r := result{plugs: n}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return r, err
	}
	p, err := startPlugs(n, o.latency)
	if err != nil {
		return r, err
	}
	defer p.stop()
	exporter, prometheus := freeAddress(), freeAddress()
	targets, config := filepath.Join(dir, "targets.yml"), filepath.Join(dir, "prometheus.yml")
	err = errors.Join(os.WriteFile(targets, []byte(p.targets), 0o600), os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: %s, scrape_timeout: %s}
scrape_configs:
  - job_name: tapo
    http_sd_configs: [{url: 'http://%s/sd', refresh_interval: 5s}]
`, model.Duration(o.interval), model.Duration(min(o.interval, 10*time.Second)), exporter), 0o600))
	if err != nil {
		return r, err
	}
	for _, command := range [][]string{
		{o.binary, "--config.file=" + targets, "--web.listen-address=" + exporter, "--rejections.file=" + filepath.Join(dir, "rejections.json")},
		{"prometheus", "--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + prometheus},
	} {
		stop, err := start(command, filepath.Join(dir, filepath.Base(command[0])+".log"))
		if err != nil {
			return r, err
		}
		defer stop()
	}
	if err := pause(ctx, 2*o.interval+10*time.Second); err != nil { // discovery, a login each, and a read
		return r, err
	}
	if err := r.watch(ctx, p, exporter, prometheus, o); err != nil {
		for _, name := range []string{"tapo_exporter", "prometheus"} {
			log, _ := os.ReadFile(filepath.Join(dir, name+".log")) //nolint:gosec // our own; beside the error that matters
			err = fmt.Errorf("%w\n%s said:\n%s", err, name, log)
		}
		return r, err
	}
	return r, nil
}

// watch measures for a while.
func (r *result) watch(ctx context.Context, p *plugProcess, exporter, prometheus string, o options) error {
	seen, err := p.tally()
	if err != nil {
		return err
	}
	cpu, _, err := usage(ctx, exporter)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := pause(ctx, o.duration); err != nil {
		return err
	}
	r.elapsed = time.Since(began)
	after, err := p.tally()
	if err != nil {
		return err
	}
	r.seen = tally{after.Requests - seen.Requests, after.Reads - seen.Reads, after.Logins - seen.Logins}
	cpuAfter, memory, err := usage(ctx, exporter)
	if err != nil {
		return err
	}
	r.cpuTime, r.memory = time.Duration((cpuAfter-cpu)*float64(time.Second)), uint64(memory)
	return r.ask(ctx, prometheus, o.duration)
}

// ask reads the results of the scrapes from Prometheus.
func (r *result) ask(ctx context.Context, prometheus string, window time.Duration) error {
	now := time.Now()
	scraped, err := samples(ctx, prometheus, `up{job="tapo"}`, window, now)
	if err != nil {
		return err
	}
	read, err := samples(ctx, prometheus, "tapo_up", window, now)
	if err != nil {
		return err
	}
	took, err := samples(ctx, prometheus, `scrape_duration_seconds{job="tapo"}`, window, now)
	if err != nil {
		return err
	}
	if len(read) == 0 || len(took) == 0 {
		return errors.New("Prometheus has scraped nothing") //nolint:staticcheck // a name
	}
	r.scrapes = len(scraped)
	for _, v := range slices.Concat(scraped, read) { // a scrape that fails has no tapo_up
		if v != 1 {
			r.failed++
		}
	}
	slices.Sort(took)
	at := func(q float64) time.Duration {
		return time.Duration(took[int(q*float64(len(took)-1))] * float64(time.Second))
	}
	r.p50, r.p99 = at(0.5), at(0.99)
	return nil
}

// usage returns the exporter's CPU time in seconds and its resident memory.
func usage(ctx context.Context, exporter string) (cpu, memory float64, err error) {
	body, err := get(ctx, "http://"+exporter+"/metrics")
	if err != nil {
		return 0, 0, err
	}
	defer body.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(body.Body)
	if err != nil {
		return 0, 0, err
	}
	value := func(name string) float64 {
		m := families[name].GetMetric()
		if len(m) != 1 {
			err = fmt.Errorf("the exporter has no %s", name)
			return 0
		}
		return m[0].GetCounter().GetValue() + m[0].GetGauge().GetValue()
	}
	return value("process_cpu_seconds_total"), value("process_resident_memory_bytes"), err
}

// samples returns all raw samples of a selector in the time before another.
func samples(ctx context.Context, prometheus, selector string, window time.Duration, before time.Time) ([]float64, error) {
	query := url.Values{
		"query": {fmt.Sprintf("%s[%s]", selector, model.Duration(window))},
		"time":  {strconv.FormatFloat(float64(before.UnixMilli())/1000, 'f', 3, 64)},
	}
	resp, err := get(ctx, "http://"+prometheus+"/api/v1/query?"+query.Encode())
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Result []struct {
				Values [][2]any `json:"values"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	var all []float64
	for _, series := range answer.Data.Result {
		for _, sample := range series.Values {
			text, _ := sample[1].(string)
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, err
			}
			all = append(all, v)
		}
	}
	return all, nil
}

func get(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(req)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func freeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // does not block
	if err != nil {
		return "127.0.0.1:0" // listening there fails with the cause
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs a program with its output in a file, until stop.
func start(command []string, log string) (stop func(), err error) {
	out, err := os.Create(log) //nolint:gosec // in our own directory
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(command[0], command[1:]...) //nolint:gosec,noctx // our own
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		out.Close()
	}, nil
}
