// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tapo-exporter/tapo_exporter/tapo/safetext"
)

//go:embed pages
var pageFiles embed.FS

var (
	style  = pageFile("style.css")
	script = pageFile("script.js")

	pages = template.Must(template.New("").Funcs(template.FuncMap{
		"took":   func(d time.Duration) string { return d.Round(100 * time.Microsecond).String() },
		"ago":    func(t time.Time) string { return ago(time.Since(t)) },
		"style":  func() template.CSS { return template.CSS(style) }, //nolint:gosec // our own
		"script": func() template.JS { return template.JS(script) },  //nolint:gosec // our own
	}).ParseFS(pageFiles, "pages/*.html"))

	// contentPolicy lets a page be what it is and nothing that somebody might
	// smuggle into it.
	contentPolicy = fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; connect-src 'self'; img-src data:; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'", hashed(style), hashed(script))
)

func pageFile(name string) string {
	text, err := pageFiles.ReadFile("pages/" + name)
	if err != nil {
		panic(err) // it is embedded
	}
	return strings.ReplaceAll(string(text), "\r", "") // browsers do the same before they hash
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// ago says how long ago something was, roughly.
func ago(d time.Duration) string {
	switch {
	case d < 2*time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
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
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = io.WriteString(w, safetext.CleanLines(page.String())) // the client may have gone
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, safetext.CleanLines(text)) // the client may have gone
}
