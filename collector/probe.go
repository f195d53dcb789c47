// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// probe serves GET /probe: it reads the plug that the parameters name and
// answers with its metrics. A plug that cannot be read is no HTTP error.
func (e *Exporter) probe(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		http.Error(w, "the query cannot be parsed", http.StatusBadRequest)
		return
	}
	target, listed, err := resolveTarget(e.store.Current(), query)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	timeout, err := probeTimeout(r.Header, e.timeout, e.timeoutOffset)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()

	record := startRecord(target.Name)
	start := time.Now()
	result := e.sessions.Read(withRecord(ctx, record), target, listed)
	read := plug{reading: result.Reading, took: time.Since(start)}
	if result.Err != nil {
		read.reason = result.Err.Reason
	}
	e.history.add(record.finish(read.took, result))

	exposed := read.expose()
	defer exposed.release()
	if err := exposed.send(w, e.negotiator.format(r.Header)); err != nil {
		e.logger.Error("A probe's answer cannot be written", "target", target.Name, "err", err)
		http.Error(w, "the answer cannot be written", http.StatusInternalServerError)
	}
}
