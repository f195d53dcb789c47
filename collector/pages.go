// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/version"
	"go.yaml.in/yaml/v3"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

//go:embed pages.html
var pagesText string

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"took":  func(d time.Duration) string { return d.Round(100 * time.Microsecond).String() },
	"ago":   func(t time.Time) string { return time.Since(t).Round(time.Second).String() + " ago" },
	"state": outletState,
	"watts": func(o tapo.Outlet) string { return format(o.Power, 1, 1, "W") },
	"kwh":   func(o tapo.Outlet) string { return format(o.EnergyToday, 3.6e6, 3, "kWh") },
}).Parse(pagesText))

// row is a target on the landing page.
type row struct {
	Target config.Target
	State  State
}

func (e *Exporter) landingPage(w http.ResponseWriter, _ *http.Request) {
	c := e.store.Current()
	targets := e.targets()
	rows := make([]row, len(targets))
	for i, t := range targets {
		rows[i] = row{t, e.finder.state(t, e.sessions.State(t))}
	}
	e.render(w, "landing", map[string]any{
		"Refresh":   10, // seconds
		"Searching": c.Discovery.Enabled,
		"Version":   version.Version, "Warnings": c.Warnings, "Rows": rows, "Probes": e.history.recent(),
	})
}

func (e *Exporter) probePage(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	probe, ok := e.history.find(id)
	if err != nil || !ok {
		http.Error(w, "this probe is not kept (any more): --history.limit", http.StatusNotFound)
		return
	}
	e.render(w, "probe", map[string]any{"Refresh": 0, "Probe": probe})
}

// configPage serves GET /config; the secrets' type hides them.
func (e *Exporter) configPage(w http.ResponseWriter, _ *http.Request) {
	text, err := yaml.Marshal(e.store.Current())
	if err != nil {
		http.Error(w, "the configuration cannot be shown", http.StatusInternalServerError)
		return
	}
	writeText(w, string(text))
}

func (e *Exporter) render(w http.ResponseWriter, name string, data any) {
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		e.logger.Error("Page not rendered", "page", name, "err", err)
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(page.Bytes()) // the client may have gone
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte(text)) // the client may have gone
}

func outletState(o tapo.Outlet) string {
	switch on, ok := o.On.Get(); {
	case !ok:
		return ""
	case on:
		return "on"
	}
	return "off"
}

func format(v tapo.Optional[float64], per float64, digits int, unit string) string {
	f, ok := v.Get()
	if !ok {
		return ""
	}
	return strconv.FormatFloat(f/per, 'f', digits, 64) + " " + unit
}
