// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// metrics are what the exporter counts about its sessions.
type metrics struct {
	logins          *prometheus.CounterVec
	loginFailures   *prometheus.CounterVec
	sessionsLost    *prometheus.CounterVec
	requests        *prometheus.CounterVec
	requestDuration *prometheus.HistogramVec
	probesShared    prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tapo_exporter_logins_total", Help: "Logins to plugs that succeeded.",
		}, []string{"protocol"}),
		loginFailures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tapo_exporter_login_failures_total", Help: "Logins to plugs that failed, or were not tried because the plug or the configuration refuses them.",
		}, []string{"protocol", "reason"}),
		sessionsLost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tapo_exporter_sessions_lost_total", Help: "Sessions that a plug had forgotten when they were needed; another client of the plug shows here.",
		}, []string{"protocol"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tapo_exporter_plug_requests_total", Help: "HTTP requests sent to plugs.",
		}, []string{"protocol"}),
		requestDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tapo_exporter_plug_request_duration_seconds", Help: "Time that HTTP requests to plugs took.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"protocol"}),
		probesShared: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tapo_exporter_probes_shared_total", Help: "Probes that were answered by a read already under way for another probe.",
		}),
	}
	for _, p := range tapo.Protocols() { // so that increase() sees the first one
		m.logins.WithLabelValues(string(p))
		m.sessionsLost.WithLabelValues(string(p))
		m.requests.WithLabelValues(string(p))
		m.requestDuration.WithLabelValues(string(p))
	}
	return m
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.logins, m.loginFailures, m.sessionsLost, m.requests, m.requestDuration, m.probesShared}
}

// trace counts what devices report.
func (m *metrics) trace() tapo.Trace {
	return tapo.Trace{
		Exchange: func(e tapo.Exchange) {
			m.requests.WithLabelValues(string(e.Protocol)).Inc()
			m.requestDuration.WithLabelValues(string(e.Protocol)).Observe(e.Took.Seconds())
		},
		Login:       func(p tapo.Protocol) { m.logins.WithLabelValues(string(p)).Inc() },
		LoginFailed: func(p tapo.Protocol, r tapo.Reason) { m.loginFailures.WithLabelValues(string(p), string(r)).Inc() },
		SessionLost: func(p tapo.Protocol) { m.sessionsLost.WithLabelValues(string(p)).Inc() },
	}
}

var sessionsDesc = prometheus.NewDesc("tapo_exporter_sessions", "Sessions with plugs that stand.", []string{"protocol"}, nil)

// Describe implements [prometheus.Collector].
func (s *Pool) Describe(ch chan<- *prometheus.Desc) {
	ch <- sessionsDesc
	for _, c := range s.metrics.collectors() {
		c.Describe(ch)
	}
}

// Collect implements [prometheus.Collector].
func (s *Pool) Collect(ch chan<- prometheus.Metric) {
	n := s.countSessions()
	for _, p := range tapo.Protocols() {
		ch <- prometheus.MustNewConstMetric(sessionsDesc, prometheus.GaugeValue, float64(n[p]), string(p))
	}
	for _, c := range s.metrics.collectors() {
		c.Collect(ch)
	}
}

// countSessions counts the sessions that stand by protocol.
func (s *Pool) countSessions() map[tapo.Protocol]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[tapo.Protocol]int{}
	for _, p := range s.plugs {
		n[p.device.Protocol()]++
	}
	return n
}
