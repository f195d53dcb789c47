// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/version"

	"github.com/tapo-exporter/tapo_exporter/collector"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/internal/demo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

const (
	historyTime = 24 * time.Hour
	historyStep = time.Minute
)

// history writes, in OpenMetrics format, what Prometheus would have of the
// home of --demo if it had scraped the exporter at an address for a day,
// until just now. The day passes in simulated time. It was not an easy one: a
// plug did not answer for half an hour, one had another password for an hour, and
// the desk's session was lost now and then.
func history(t *testing.T, exporterAddress string) (path string) {
	t.Helper()
	version.Version = "0.0.0" // which the linker sets in a build; a label that is empty is none
	ends := time.Now().Add(-time.Minute).Truncate(time.Second)
	path = filepath.Join(t.TempDir(), "day.txt")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(ends.Add(-historyTime)))
		network := new(simulator.Network)
		home := demo.Home()
		plugs := map[string]*simulator.Plug{}
		for i, a := range home {
			a.Plug.Network, a.Plug.Listen = network, fmt.Sprintf("192.0.2.%d:80", i+1)
			a.Plug.TPAP.Iterations = 10
			if err := a.Plug.Start(); err != nil {
				t.Fatal(err)
			}
			defer a.Plug.Close()
			plugs[a.Name] = a.Plug
		}
		store := config.NewStaticStore(demo.Config(home), slog.New(slog.DiscardHandler))
		exporter := collector.New(collector.Options{Store: store, DialContext: network.DialContext})
		if err := store.Reload(); err != nil {
			t.Fatal(err)
		}
		for minute := 0; time.Now().Before(ends); minute++ {
			switch {
			case minute == 300:
				plugs["tv"].Inject(simulator.Fault{Kind: simulator.Hang})
			case minute == 330:
				plugs["tv"].Heal()
			case minute == 600:
				plugs["kettle"].SetCredentials(demo.Username, "another")
			case minute == 660:
				plugs["kettle"].SetCredentials(demo.Username, demo.Password)
			case minute%100 == 99:
				plugs["desk"].LoseSession()
			}
			now := time.Now()
			for _, a := range home {
				labels := maps.Clone(a.Labels)
				labels["job"], labels["instance"] = "tapo", a.Name
				scrape(t, w, exporter, "/probe?target="+a.Name, labels, now)
			}
			scrape(t, w, exporter, "/metrics", map[string]string{"job": "tapo_exporter", "instance": exporterAddress}, now)
			time.Sleep(time.Until(now.Add(historyStep)))
		}
		time.Sleep(3 * time.Minute) // connections that nobody uses are closed
	})
	fmt.Fprintln(w, "# EOF")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return path
}

// scrape writes the samples of one page as Prometheus would have stored them.
func scrape(t *testing.T, w io.Writer, exporter *collector.Exporter, path string, target map[string]string, at time.Time) {
	t.Helper()
	answer := httptest.NewRecorder()
	exporter.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil || len(families) == 0 {
		t.Fatalf("%s: %d, %v", path, answer.Code, err)
	}
	for name, family := range families {
		if !strings.HasPrefix(name, "tapo_") {
			continue // of this process
		}
		for _, m := range family.Metric {
			line := func(suffix string, value float64, more ...string) {
				labels := maps.Clone(target)
				for _, l := range m.Label {
					labels[l.GetName()] = l.GetValue()
				}
				if len(more) > 0 {
					labels[more[0]] = more[1]
				}
				fmt.Fprintf(w, "%s%s{", name, suffix)
				for i, l := range slices.Sorted(maps.Keys(labels)) {
					if i > 0 {
						fmt.Fprint(w, ",")
					}
					fmt.Fprintf(w, "%s=%q", l, labels[l])
				}
				fmt.Fprintf(w, "} %s %d\n", strconv.FormatFloat(value, 'g', -1, 64), at.Unix())
			}
			switch family.GetType().String() {
			case "HISTOGRAM":
				for _, b := range m.Histogram.Bucket {
					line("_bucket", float64(b.GetCumulativeCount()), "le", strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64))
				}
			case "COUNTER":
				line("", m.Counter.GetValue())
			default:
				line("", m.Gauge.GetValue())
			}
		}
	}
}
