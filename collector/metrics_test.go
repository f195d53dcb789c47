// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

var update = flag.Bool("update", false, "write the golden files anew")

// readAt reads a simulated plug at a fixed time.
func readAt(t *testing.T, m simulator.Model) tapo.Reading {
	t.Helper()
	reading, _ := readCounting(t, m)
	return reading
}

// readCounting also counts the requests of a warm read.
func readCounting(t *testing.T, m simulator.Model) (reading tapo.Reading, requests int) {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC) }
	p := startPlug(t, &simulator.Plug{
		Model: m, Name: "Test \"plug\" \n№ 1", Region: "Europe/Berlin", Load: simulator.Constant(71.502), Now: now,
		Outlets: []simulator.Outlet{
			{Name: "First", Load: simulator.Constant(71.502)},
			{Name: "Zweite \"Dose\"", Load: simulator.Constant(2040), Off: true},
			{Name: "三", Load: simulator.Constant(0.9)},
		},
	})
	d, err := tapo.New(tapo.Config{
		Address: p.Addr().String(), Credentials: tapo.Credentials{Username: username, Password: password}, AllowPassthrough: true, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for range 2 { // that it takes until some plugs are known
		if _, err := d.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before := p.Stats().Requests
	reading, err = d.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return reading, p.Stats().Requests - before
}

// gathererOf returns a registry that compares what is collected with what was
// described.
func gathererOf(t *testing.T, c ...prometheus.Collector) prometheus.Gatherer {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c...)
	return registry
}

// expose gathers, lints, and returns the text that a scrape gets.
func expose(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	problems, err := testutil.GatherAndLint(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	w := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	return w.Body.String()
}

// golden compares with a file in testdata; -update writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", path, diff)
	}
}

func TestGoldenExpositions(t *testing.T) {
	for _, m := range simulator.Models() {
		version, _, _ := strings.Cut(m.Firmware, " ")
		name := strings.ToLower(m.Name + "-" + version)
		if m.Protocol == simulator.TPAP { // the same firmware speaks KLAP, too
			name += "-tpap"
		}
		name += ".prom"
		t.Run(name, func(t *testing.T) {
			golden(t, name, expose(t, gathererOf(t, plugCollector{reading: readAt(t, m), took: 25 * time.Millisecond})))
		})
	}
	t.Run("failed", func(t *testing.T) {
		golden(t, "failed.prom", expose(t, gathererOf(t, plugCollector{reason: tapo.BadCredentials, took: 50 * time.Millisecond})))
	})
}

// TestSeriesAreThePlugsValues compares without a golden file, so that neither
// can drift along with a mistake.
func TestSeriesAreThePlugsValues(t *testing.T) {
	const want = `
# HELP tapo_energy_joules_total Energy drawn, from the plug's own meter (month_energy); resets when the plug's month changes.
# TYPE tapo_energy_joules_total counter
tapo_energy_joules_total{outlet="1"} 9e+06
# HELP tapo_energy_returned_joules_total Energy fed back, from the plug's own meter (month_charge_energy); resets when the plug's month changes.
# TYPE tapo_energy_returned_joules_total counter
tapo_energy_returned_joules_total{outlet="1"} 5.4e+06
# HELP tapo_energy_returned_month_joules Energy fed back since the first of the plug's month (month_charge_energy).
# TYPE tapo_energy_returned_month_joules gauge
tapo_energy_returned_month_joules{outlet="1"} 5.4e+06
# HELP tapo_energy_returned_today_joules Energy fed back since the plug's local midnight (today_charge_energy).
# TYPE tapo_energy_returned_today_joules gauge
tapo_energy_returned_today_joules{outlet="1"} 192567.6
# HELP tapo_on_today_seconds Time switched on since the plug's local midnight (today_runtime).
# TYPE tapo_on_today_seconds gauge
tapo_on_today_seconds{outlet="1"} 3660
# HELP tapo_power_watts Active power (power_mw, else current_power); negative while power is fed back.
# TYPE tapo_power_watts gauge
tapo_power_watts{outlet="1"} -19.231
# HELP tapo_outlet_on Whether.
`
	c := plugCollector{reading: tapo.Reading{Outlets: []tapo.Outlet{{
		Number: 1, EnergyMonth: tapo.Some(9e6), OnToday: tapo.Some(61 * time.Minute),
		Power: tapo.Some(-19.231), ReturnedToday: tapo.Some(192567.6), ReturnedMonth: tapo.Some(5.4e6),
	}}}}
	text, _, _ := strings.Cut(want, "# HELP tapo_outlet_on ")
	names := []string{
		"tapo_energy_joules_total", "tapo_energy_returned_joules_total", "tapo_energy_returned_month_joules", "tapo_energy_returned_today_joules",
		"tapo_on_today_seconds", "tapo_outlet_on", "tapo_power_watts", "tapo_voltage_volts",
	}
	if err := testutil.CollectAndCompare(c, strings.NewReader(text), names...); err != nil {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	name := regexp.MustCompile(`^tapo_[a-z0-9]+(_[a-z0-9]+)*$`)
	label := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	forbidden := []string{
		"milliwatt", "watthour", "watt_hour", "minute", "hour", "day", "millivolt", "milliampere", "_ma", "_mv", "_mw", "_wh", "kilo", "percent",
	}
	seen := map[string]bool{}
	for _, m := range plugMetrics {
		if !name.MatchString(m.name) || seen[m.name] {
			t.Errorf("%s: bad or repeated name", m.name)
		}
		seen[m.name] = true
		for _, f := range forbidden {
			if strings.Contains(strings.ReplaceAll(m.name, "_today_", "_"), f) {
				t.Errorf("%s: contains %s", m.name, f)
			}
		}
		if strings.HasSuffix(m.name, "_total") != (m.kind == counter) {
			t.Errorf("%s: _total and counters belong together", m.name)
		}
		if !strings.HasSuffix(m.help, ".") {
			t.Errorf("%s: the help is no sentence", m.name)
		}
		if !slices.IsSorted(m.labels) {
			t.Errorf("%s: labels %v are not sorted", m.name, m.labels)
		}
		info := strings.HasSuffix(m.name, "_info")
		for _, l := range m.labels {
			if !label.MatchString(l) || !info && l != "outlet" {
				t.Errorf("%s: label %s", m.name, l)
			}
		}
	}
}

// TestDocumentation: docs/metrics.md has a row for every metric and reason, and
// no other.
func TestDocumentation(t *testing.T) {
	data, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_0-9]+)(?:\\{[^}]*\\})?` \\|").FindAllStringSubmatch(string(data), -1) {
		rows[m[1]] = true
	}
	var want []string
	for _, m := range plugMetrics {
		want = append(want, m.name)
		row := "| `" + m.name
		if len(m.labels) > 0 {
			row += "{" + strings.Join(m.labels, ",") + "}"
		}
		if !strings.Contains(string(data), row+"` |") {
			t.Errorf("no row that starts with %s` |", row)
		}
	}
	h := newHome(t, auths)
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (tapo_exporter_\w+)`).FindAllStringSubmatch(h.get("/metrics").Body.String(), -1) {
		want = append(want, m[1])
	}
	want = append(want, "tapo_exporter_login_failures_total", "tapo_exporter_rejections_file_writable") // not there before the first failure, without a file
	for _, r := range tapo.Reasons() {
		want = append(want, string(r))
	}
	for name := range rows {
		if !slices.Contains(want, name) {
			t.Errorf("docs/metrics.md has %s, which does not exist", name)
		}
	}
	for _, name := range want {
		if !rows[name] {
			t.Errorf("docs/metrics.md has no row for %s", name)
		}
	}
}
