// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// probe serves GET /probe: it reads the plug that the parameters name and
// answers with its metrics. A plug that cannot be read is no HTTP error.
func (e *Exporter) probe(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		http.Error(w, "the query cannot be parsed", http.StatusBadRequest)
		return
	}
	timeout, err := probeTimeout(r.Header, e.timeout, e.timeoutOffset)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	target, err := e.resolveTarget(e.store.Current(), query)
	if errors.Is(err, errUnknown) && e.waitForNames(ctx) {
		target, err = e.resolveTarget(e.store.Current(), query)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}

	lines := startProbeLog(target)
	start := time.Now()
	result := e.read(withProbeLog(ctx, lines), target)
	collected := plugCollector{reading: result.Reading, took: time.Since(start)}
	if result.Err != nil {
		collected.reason = result.Err.Reason
		result.Reading.Info = e.sessions.State(target).Reading.Info
	}
	e.recentProbes.add(lines.finish(collected.took, result))

	registry := prometheus.NewRegistry()
	registry.MustRegister(collected)
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: e.errorLog, EnableOpenMetrics: true,
		DisableCompression: true, // it would make a probe a quarter dearer, to save 4 kB on a local network
	}).ServeHTTP(w, r)
}
