// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestStore(t *testing.T) {
	path := write(t, "targets.yml", "auths: {home: {username: u, password: p}}")
	s := NewStore(func() string { return path }, slog.New(slog.DiscardHandler))
	var seen []int
	s.OnChange(func(c *Config) { seen = append(seen, len(c.Targets)) })
	if s.Current() != nil {
		t.Error("a configuration before the first load")
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("targets: {"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil {
		t.Error("a bad file was accepted")
	}
	if s.Current() == nil || testutil.ToFloat64(s.successful) != 0 {
		t.Error("the old configuration is gone, or the metric does not tell")
	}
	if err := os.WriteFile(path, []byte("auths: {home: {username: u, password: p}}\ntargets: [{name: a, address: x}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err != nil || testutil.ToFloat64(s.successful) != 1 {
		t.Errorf("%v", err)
	}
	if age := float64(time.Now().Unix()) - testutil.ToFloat64(s.lastTime); age < -1 || age > 60 {
		t.Errorf("loaded %v seconds ago", age)
	}
	if diff := cmp.Diff([]int{0, 1}, seen); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	prometheus.NewPedanticRegistry().MustRegister(s)
}
