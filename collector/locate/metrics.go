// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import "github.com/prometheus/client_golang/prometheus"

var discoveredDesc = prometheus.NewDesc("tapo_exporter_plugs_discovered",
	"Plugs that have replied to the search within a day and are targets: listed by their mac, or read with the account that discovery has.", nil, nil)

// Describe implements [prometheus.Collector].
func (l *Locator) Describe(ch chan<- *prometheus.Desc) { ch <- discoveredDesc }

// Collect implements [prometheus.Collector].
func (l *Locator) Collect(ch chan<- prometheus.Metric) {
	c := l.opts.Store.Current()
	n := len(l.discovered(c))
	for t := range c.WithMAC() {
		if l.Address(t.MAC) != "" {
			n++
		}
	}
	ch <- prometheus.MustNewConstMetric(discoveredDesc, prometheus.GaugeValue, float64(n))
}
