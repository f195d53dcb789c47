// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// plugCollector holds a finished read, so collecting does not wait for the plug.
type plugCollector struct {
	reading tapo.Reading
	reason  tapo.Reason // "" if the read succeeded
	took    time.Duration
}

// Describe implements [prometheus.Collector].
func (plugCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range plugMetrics {
		ch <- m.desc
	}
}

// Collect implements [prometheus.Collector]. After a failed read it sends the
// values of the probe only.
func (p plugCollector) Collect(ch chan<- prometheus.Metric) {
	for _, m := range plugMetrics {
		switch {
		case m.ofProbe != nil:
			m.send(ch, m.ofProbe(p))
		case p.reason != "":
		case m.ofPlug != nil:
			m.send(ch, m.ofPlug(p.reading))
		default:
			for _, o := range p.reading.Outlets {
				m.send(ch, m.ofOutlet(o), strconv.Itoa(o.Number))
			}
		}
	}
}

// send sends a sample, if it has a value. The outlet is the value of outletLabel,
// if the metric has that label.
func (m *metric) send(ch chan<- prometheus.Metric, s sample, outlet ...string) {
	if v, ok := s.value.Get(); ok {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, append(s.labels, outlet...)...)
	}
}
