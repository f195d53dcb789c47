// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/internal/backfill"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
)

// TestWriteOpenMetrics: all of a family in one place, with the labels that
// Prometheus stores.
func TestWriteOpenMetrics(t *testing.T) {
	at := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	past := []*Past{
		{config.Target{Name: `a "b" \c`, Labels: map[string]string{"room": "küche\n2", "empty": "", "zone": "z"}}, []backfill.Outlet{{
			Number: 1, Energy: []backfill.Sample{{Time: at, Value: 0}, {Time: at.Add(time.Minute), Value: 123456789012}}, Power: []backfill.Sample{{Time: at, Value: 0.125}},
		}}},
		{config.Target{Name: "strip", Labels: map[string]string{"job": "own"}}, []backfill.Outlet{{Number: 2, Power: []backfill.Sample{{Time: at, Value: 60}}}}},
	}
	var b strings.Builder
	if err := WriteOpenMetrics(&b, "tapo", past); err != nil {
		t.Fatal(err)
	}
	want := `# TYPE tapo_energy_joules counter
# UNIT tapo_energy_joules joules
# HELP tapo_energy_joules Energy drawn, from the plug's own meter (month_energy); resets when the plug's month changes.
tapo_energy_joules_total{instance="a \"b\" \\c",job="tapo",outlet="1",room="küche\n2",zone="z"} 0 1788220800
tapo_energy_joules_total{instance="a \"b\" \\c",job="tapo",outlet="1",room="küche\n2",zone="z"} 123456789012 1788220860
# TYPE tapo_power_watts gauge
# UNIT tapo_power_watts watts
# HELP tapo_power_watts Active power (power_mw, else current_power); negative while power is fed back.
tapo_power_watts{instance="a \"b\" \\c",job="tapo",outlet="1",room="küche\n2",zone="z"} 0.125 1788220800
tapo_power_watts{instance="strip",job="own",outlet="2"} 60 1788220800
# EOF
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	if err := WriteOpenMetrics(failingWriter{}, "tapo", past); !errors.Is(err, errFull) {
		t.Error(err)
	}
}

var errFull = errors.New("full")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }
