// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package collector is everything that Prometheus sees: /probe with the table
// of a plug's metrics, /sd, the exporter's own /metrics, and the pages for
// people.
//
// A probe goes from its parameters to a target, to a deadline, to a read of the
// plug, and only then to metrics: a collector holds a finished reading and never
// talks to the network. Package locate knows the addresses of plugs that have none
// in the configuration; package sessions reads plugs over sessions that outlive
// probes.
package collector

import (
	"context"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tapo-exporter/tapo_exporter/collector/locate"
	"github.com/tapo-exporter/tapo_exporter/collector/sessions"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// Options configures an [Exporter]. Store is required.
type Options struct {
	// Store holds the configuration. New sets its OnChange.
	Store *config.Store
	// Timeout is the longest that a probe may take; 0 means 10 seconds.
	Timeout time.Duration
	// TimeoutOffset is taken off what Prometheus grants a scrape.
	TimeoutOffset time.Duration
	// HistoryLimit is how many probes are kept for the pages.
	HistoryLimit int
	// Logger may be nil.
	Logger *slog.Logger
	// Rejections remembers over restarts which plugs have refused logins; nil
	// forgets it.
	Rejections tapo.RejectionStore
	// RejectionsErr returns why Rejections cannot be stored, nil if they can. It is nil if
	// they are forgotten.
	RejectionsErr func() error
	// DialContext replaces the dialer to plugs if it is not nil.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)

	// Tests shorten these; 0 means the defaults of package locate.
	searchTime, searchPause time.Duration
}

// Exporter serves HTTP. Its methods are safe for concurrent use.
type Exporter struct {
	store         *config.Store
	sessions      *sessions.Pool
	locator       *locate.Locator
	rejectionsErr func() error
	named         chan struct{} // closed once what the first search has found was read
	recentProbes  *recentProbes
	timeout       time.Duration
	timeoutOffset time.Duration
	logger        *slog.Logger
	errorLog      *log.Logger
	mux           *http.ServeMux
}

// New returns an exporter.
func New(opts Options) *Exporter {
	if opts.Timeout == 0 {
		opts.Timeout = 10 * time.Second
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Exporter{
		store:         opts.Store,
		recentProbes:  newRecentProbes(opts.HistoryLimit),
		timeout:       opts.Timeout,
		timeoutOffset: opts.TimeoutOffset,
		logger:        opts.Logger,
		errorLog:      slog.NewLogLogger(opts.Logger.Handler(), slog.LevelError),
		mux:           http.NewServeMux(),
		rejectionsErr: opts.RejectionsErr,
		named:         make(chan struct{}),
	}
	e.sessions = sessions.New(sessions.Options{
		Timeout: opts.Timeout, TimeoutOffset: opts.TimeoutOffset, Logger: slog.New(probeLogHandler{opts.Logger.Handler()}),
		Rejections: opts.Rejections, DialContext: opts.DialContext,
	})
	e.locator = locate.New(locate.Options{
		Store: opts.Store, Logger: opts.Logger, SearchTime: opts.searchTime, SearchPause: opts.searchPause,
		ReadMAC: func(t config.Target) string { return e.sessions.State(t).Reading.Info.MAC },
	})
	e.store.OnChange(func(c *config.Config) {
		e.sessions.Retain(c)
		e.locator.Wake()
	})
	if c := e.store.Current(); c != nil {
		e.sessions.Retain(c)
	}
	e.routes()
	return e
}

// Run searches for plugs, if the configuration says so, until ctx ends. After each
// search it reads the discovered plugs that were not read yet. It must not be called
// twice.
func (e *Exporter) Run(ctx context.Context) {
	go e.locator.Run(ctx)
	for first := true; ; first = false {
		select {
		case <-e.locator.SearchEnded():
			e.readUnread(ctx)
		case <-ctx.Done():
			return
		}
		if first {
			close(e.named)
		}
	}
}

// Close waits for the reads under way, until ctx ends. No read begins after it.
func (e *Exporter) Close(ctx context.Context) error { return e.sessions.Close(ctx) }

// ServeHTTP implements [http.Handler].
func (e *Exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.mux.ServeHTTP(w, r) }

func (e *Exporter) routes() {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		versioncollector.NewCollector("tapo_exporter"), e.store, e.sessions, e.locator,
	)
	if e.rejectionsErr != nil {
		registry.MustRegister(rejectionsWritable(e.rejectionsErr))
	}
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: e.errorLog, Registry: registry, EnableOpenMetrics: true})

	e.mux.HandleFunc("GET /probe", e.probe)
	e.mux.Handle("GET /metrics", metrics)
	e.mux.HandleFunc("GET /sd", e.serviceDiscovery)
	e.mux.HandleFunc("GET /{$}", e.statusPage)
	e.mux.HandleFunc("GET /probes/{id}", e.probePage)
	e.mux.HandleFunc("GET /config", e.configPage)
	e.mux.HandleFunc("GET /-/healthy", saying("Healthy."))
	e.mux.HandleFunc("GET /-/ready", saying("Ready."))
	// Another site's page must not be able to make a browser send this.
	e.mux.Handle("POST /-/reload", http.NewCrossOriginProtection().Handler(http.HandlerFunc(e.reload)))
}

// rejectionsWritable is the metric about the file of refused logins.
func rejectionsWritable(failure func() error) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tapo_exporter_rejections_file_writable",
		Help: "Whether logins that plugs refuse can be stored (1) or a restart would try them again (0).",
	}, func() float64 {
		if failure() != nil {
			return 0
		}
		return 1
	})
}

func saying(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { writeText(w, text+"\n") }
}

func (e *Exporter) reload(w http.ResponseWriter, _ *http.Request) {
	if err := e.store.Reload(); err != nil {
		e.logger.Error("Reload failed, the old configuration stays", "err", err)
		http.Error(w, "reload failed, the old configuration stays: "+err.Error(), http.StatusInternalServerError)
		return
	}
	writeText(w, "Reloaded.\n")
}
