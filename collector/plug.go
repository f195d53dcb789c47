// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// plug is a finished read as a Prometheus collector: the network has been
// talked to before anything is gathered.
type plug struct {
	reading tapo.Reading
	reason  tapo.Reason // "" if the read succeeded
	took    time.Duration
}

// Describe implements [prometheus.Collector].
func (p plug) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range plugMetrics {
		ch <- m.desc
	}
}

// Collect implements [prometheus.Collector]. Only what the plug gave becomes a
// series.
func (p plug) Collect(ch chan<- prometheus.Metric) {
	s := series(ch)
	s.seconds(probeDuration, tapo.Some(p.took))
	s.flag(up, tapo.Some(p.reason == ""))
	if p.reason != "" {
		s.info(failureInfo, string(p.reason))
		return
	}
	r := p.reading
	s.info(deviceInfo, r.Info.DeviceID, r.Info.MAC, r.Info.Model, r.Info.Hardware, r.Info.Firmware, r.Info.Name, string(r.Protocol))
	s.value(wifiRSSI, r.RSSI)
	s.seconds(clockOffset, r.ClockOffset)
	for _, o := range r.Outlets {
		s.outlet(o)
	}
}

// series sends samples.
type series chan<- prometheus.Metric

func (s series) outlet(o tapo.Outlet) {
	n := strconv.Itoa(o.Number)
	s.info(outletInfo, n, o.Name)
	s.flag(outletOn, o.On, n)
	s.seconds(outletOnSeconds, o.OnFor, n)
	s.value(powerWatts, o.Power, n)
	s.value(voltageVolts, o.Voltage, n)
	s.value(currentAmperes, o.Current, n)
	s.value(energyTotal, o.EnergyMonth, n)
	s.value(energyToday, o.EnergyToday, n)
	s.value(energyMonth, o.EnergyMonth, n)
	s.seconds(onToday, o.OnToday, n)
	s.seconds(onMonth, o.OnMonth, n)
	s.value(powerLimit, o.PowerLimit, n)
	s.flag(overheated, o.Overheated, n)
	s.flag(overloaded, o.Overloaded, n)
	s.flag(overcurrent, o.Overcurrent, n)
	s.flag(chargingFinished, o.ChargingFinished, n)
}

func (s series) value(m *metric, v tapo.Optional[float64], labels ...string) {
	if f, ok := v.Get(); ok {
		s <- prometheus.MustNewConstMetric(m.desc, m.kind, f, labels...)
	}
}

func (s series) seconds(m *metric, v tapo.Optional[time.Duration], labels ...string) {
	if d, ok := v.Get(); ok {
		s <- prometheus.MustNewConstMetric(m.desc, m.kind, d.Seconds(), labels...)
	}
}

func (s series) flag(m *metric, v tapo.Optional[bool], labels ...string) {
	if b, ok := v.Get(); ok {
		f := 0.0
		if b {
			f = 1
		}
		s <- prometheus.MustNewConstMetric(m.desc, m.kind, f, labels...)
	}
}

func (s series) info(m *metric, labels ...string) {
	s <- prometheus.MustNewConstMetric(m.desc, m.kind, 1, labels...)
}
