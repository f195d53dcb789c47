// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bytes"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// series is the samples of one probe. It is used again for other probes, since
// Prometheus asks for many.
type series struct {
	samples  [][]*dto.Metric    // by metric.index
	memory   []sample           // what samples point into
	used     int                // of memory
	families []dto.MetricFamily // by metric.index
	gathered []*dto.MetricFamily
	text     bytes.Buffer // what they are encoded into
}

// sample is what a sample needs beside its labels, in one piece.
type sample struct {
	metric  dto.Metric
	gauge   dto.Gauge
	counter dto.Counter
	value   float64
}

var seriesPool = sync.Pool{New: func() any {
	s := &series{
		samples: make([][]*dto.Metric, len(plugMetrics)), memory: make([]sample, len(plugMetrics)),
		families: make([]dto.MetricFamily, len(plugMetrics)),
	}
	for i, m := range plugMetrics {
		s.families[i] = dto.MetricFamily{Name: &m.name, Help: &m.help, Type: &m.kind}
	}
	return s
}}

// release gives the memory back; what gather has returned is void then.
func (s *series) release() {
	for i := range s.samples {
		clear(s.samples[i])
		s.samples[i] = s.samples[i][:0]
	}
	for i := range s.used {
		s.memory[i].metric.Label = nil // names of plugs
	}
	s.used, s.gathered = 0, s.gathered[:0]
	s.text.Reset()
	seriesPool.Put(s)
}

// gather returns what has samples, sorted by name.
func (s *series) gather() []*dto.MetricFamily {
	s.gathered = s.gathered[:0]
	for i := range plugMetrics {
		if len(s.samples[i]) > 0 {
			s.families[i].Metric = s.samples[i]
			s.gathered = append(s.gathered, &s.families[i])
		}
	}
	return s.gathered
}

func (s *series) add(m *metric, f float64, labels []*dto.LabelPair) {
	if s.used == len(s.memory) { // a strip: what points into the old memory keeps it
		s.memory, s.used = make([]sample, 2*len(s.memory)), 0
	}
	one := &s.memory[s.used]
	s.used++
	one.value = f
	one.metric.Label, one.metric.Counter, one.metric.Gauge = labels, nil, nil
	if m.kind == dto.MetricType_COUNTER {
		one.counter.Value, one.metric.Counter = &one.value, &one.counter
	} else {
		one.gauge.Value, one.metric.Gauge = &one.value, &one.gauge
	}
	s.samples[m.index] = append(s.samples[m.index], &one.metric)
}

func (s *series) value(m *metric, v tapo.Optional[float64], labels ...*dto.LabelPair) {
	if f, ok := v.Get(); ok {
		s.add(m, f, labels)
	}
}

func (s *series) seconds(m *metric, v tapo.Optional[time.Duration], labels ...*dto.LabelPair) {
	if d, ok := v.Get(); ok {
		s.add(m, d.Seconds(), labels)
	}
}

func (s *series) flag(m *metric, v tapo.Optional[bool], labels ...*dto.LabelPair) {
	if b, ok := v.Get(); ok {
		f := 0.0
		if b {
			f = 1
		}
		s.add(m, f, labels)
	}
}

// info adds a 1 with the values of m's labels.
func (s *series) info(m *metric, values ...string) {
	pairs := make([]dto.LabelPair, len(values))
	labels := make([]*dto.LabelPair, len(values))
	for i := range values {
		pairs[i].Name, pairs[i].Value = &m.labels[i], &values[i]
		labels[i] = &pairs[i]
	}
	s.add(m, 1, labels)
}
