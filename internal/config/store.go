// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Store holds the live configuration. Its methods are safe for concurrent use.
type Store struct {
	path     func() string // nil if there is nothing to load from
	logger   *slog.Logger
	onChange func(*Config)
	current  atomic.Pointer[Config]
	reload   sync.Mutex

	successful prometheus.Gauge
	lastTime   prometheus.Gauge
	targets    prometheus.Gauge
}

// NewStore returns a store that loads from the file that path returns at that
// time, or from the environment alone if it returns "".
func NewStore(path func() string, logger *slog.Logger) *Store {
	return &Store{
		path: path, logger: logger,
		successful: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tapo_exporter_config_last_reload_successful",
			Help: "1 if the last attempt to load the configuration succeeded, 0 if an older one is still in use.",
		}),
		lastTime: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tapo_exporter_config_last_reload_success_timestamp_seconds",
			Help: "When the configuration in use was loaded.",
		}),
		targets: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tapo_exporter_targets",
			Help: "Targets that the configuration lists.",
		}),
	}
}

// NewStaticStore returns a store of a configuration that never changes.
func NewStaticStore(c *Config, logger *slog.Logger) *Store {
	s := NewStore(nil, logger)
	s.set(c)
	return s
}

// OnChange sets a function that is called with each configuration after it has
// come into force. It must be set before the first Reload.
func (s *Store) OnChange(f func(*Config)) { s.onChange = f }

// Current returns the configuration in force, nil before the first.
func (s *Store) Current() *Config { return s.current.Load() }

// Reload loads the configuration, checks it and puts it in force. On an error
// the old one stays.
func (s *Store) Reload() error {
	s.reload.Lock()
	defer s.reload.Unlock()
	if s.path == nil {
		return nil
	}
	path := s.path()
	c, err := Load(path, os.LookupEnv)
	if err != nil {
		s.successful.Set(0)
		return err
	}
	for _, w := range c.Warnings {
		s.logger.Warn("Configuration is doubtful", "warning", w)
	}
	s.set(c)
	s.logger.Info("Configuration loaded", "file", path, "targets", len(c.Targets), "auths", len(c.Auths))
	return nil
}

func (s *Store) set(c *Config) {
	s.current.Store(c)
	s.successful.Set(1)
	s.lastTime.Set(float64(time.Now().UnixMilli()) / 1e3)
	s.targets.Set(float64(len(c.Targets)))
	if s.onChange != nil {
		s.onChange(c)
	}
}

// Describe implements [prometheus.Collector].
func (s *Store) Describe(ch chan<- *prometheus.Desc) {
	s.successful.Describe(ch)
	s.lastTime.Describe(ch)
	s.targets.Describe(ch)
}

// Collect implements [prometheus.Collector].
func (s *Store) Collect(ch chan<- prometheus.Metric) {
	s.successful.Collect(ch)
	s.lastTime.Collect(ch)
	s.targets.Collect(ch)
}
