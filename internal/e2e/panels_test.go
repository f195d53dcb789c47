// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
)

// TestPanels evaluates every expression of every panel and variable in a real
// Prometheus that scrapes the demo, and that has a day of its past.
func TestPanels(t *testing.T) {
	t.Parallel()
	tool(t, "prometheus")
	address := exporter(t, nil, "--demo")
	server := shippedPrometheus(t, address, freeAddress(t), history(t, address))
	eventually(t, time.Minute, func() string {
		for _, needed := range []string{"count(tapo_up == 1) == 10", "outlet:tapo_cost:today", "outlet:tapo_cost:month", "rate(process_cpu_seconds_total[20s] offset 2s)"} {
			if len(query(t, server, needed)) == 0 {
				return "no " + needed
			}
		}
		return ""
	})
	for file, d := range dashboards(t) {
		t.Run(file, func(t *testing.T) {
			all := map[string]string{}
			for _, v := range d.Templating.List {
				if v.Type != "query" {
					continue
				}
				values := labelValues(t, server, substitute(v.Definition, all))
				if len(values) == 0 {
					t.Errorf("%s: %s has no values", v.Name, v.Definition)
				}
				all[v.Name] = v.AllValue
				if !v.IncludeAll {
					all[v.Name] = strings.Join(values, "|")
				}
			}
			d.evaluate(t, server, all, "")
			if d.UID != "tapo-plug" {
				return
			}
			for _, plug := range labelValues(t, server, "label_values(tapo_up, instance)") {
				all["instance"] = plug
				d.evaluate(t, server, all, plug)
			}
		})
	}
	t.Run("strip", func(t *testing.T) { testStripOnDashboard(t, server) })
	t.Run("balcony", func(t *testing.T) { testBalconyOnDashboard(t, server) })
	t.Run("cost", func(t *testing.T) { testCost(t, server) })
}

// evaluate asks for what every panel shows, of one plug or of all. The desk has a value
// for every panel but those of returned energy, which the balcony has.
func (d dashboard) evaluate(t *testing.T, server string, variables map[string]string, plug string) {
	t.Helper()
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			expr := substitute(target.Expr, variables)
			series, err := rangeQuery(server, expr, p.Interval, target.Instant)
			if err != nil {
				t.Errorf("%s: %s: %v", p.Title, expr, err)
				continue
			}
			returned := strings.Contains(expr, "returned")
			if complete := plug == "" || plug == "desk" && !returned || plug == "balcony" && returned; complete && len(series) == 0 {
				t.Errorf("%s: nothing from %s", p.Title, expr)
			}
			for _, m := range legendLabel.FindAllStringSubmatch(target.LegendFormat, -1) {
				for _, labels := range series {
					if _, has := labels[m[1]]; !has {
						t.Errorf("%s: no label %s in %v", p.Title, m[1], labels)
					}
				}
			}
		}
	}
}

var (
	legendLabel = regexp.MustCompile(`\{\{(\w+)\}\}`)
	labelsOf    = regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
)

// substitute replaces variables as Grafana does.
func substitute(text string, variables map[string]string) string {
	text = strings.ReplaceAll(text, "$__rate_interval", "5m")
	for name, value := range variables {
		text = strings.ReplaceAll(text, "$"+name, value)
	}
	return text
}

func labelValues(t *testing.T, server, definition string) []string {
	t.Helper()
	m := labelsOf.FindStringSubmatch(definition)
	if m == nil {
		t.Fatalf("%s is not of the form label_values(series, label)", definition)
	}
	var answer struct{ Data []string }
	text := hometest.MustGet(t, server+"/api/v1/label/"+m[2]+"/values?match[]="+url.QueryEscape(m[1]))
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Data
}

// rangeQuery returns the labels of the series that an expression has in the last
// day, or in the last two weeks by day, or now.
func rangeQuery(server, expr, interval string, instant bool) ([]map[string]string, error) {
	now := time.Now()
	parameters := url.Values{"query": {expr}}
	path := "/api/v1/query_range"
	switch {
	case instant:
		path = "/api/v1/query"
	case interval == "1d":
		midnight := now.Truncate(24 * time.Hour)
		parameters.Set("start", strconv.FormatInt(midnight.Add(-14*24*time.Hour).Unix(), 10))
		parameters.Set("end", strconv.FormatInt(midnight.Add(24*time.Hour).Unix(), 10))
		parameters.Set("step", "86400")
	default:
		parameters.Set("start", strconv.FormatInt(now.Add(-24*time.Hour).Unix(), 10))
		parameters.Set("end", strconv.FormatInt(now.Unix(), 10))
		parameters.Set("step", "60")
	}
	text, err := hometest.Get(server + path + "?" + parameters.Encode())
	if err != nil {
		return nil, err
	}
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct{ Metric map[string]string }
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return nil, err
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("%s: %s", answer.Status, answer.Error)
	}
	var series []map[string]string
	for _, r := range answer.Data.Result {
		series = append(series, r.Metric)
	}
	return series, nil
}

// testStripOnDashboard looks for a strip's outlets under their own names.
func testStripOnDashboard(t *testing.T, server string) {
	for _, p := range dashboards(t)["plug.json"].Panels {
		if p.Title != "Power" || p.Type != "timeseries" {
			continue
		}
		expr := substitute(p.Targets[0].Expr, map[string]string{"job": ".+", "room": ".*", "instance": "hi-fi"})
		series, err := rangeQuery(server, expr, "", false)
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, labels := range series {
			names[labels["name"]] = true
		}
		for _, name := range []string{"Amplifier", "Turntable", "Router", "Charger"} {
			if !names[name] || len(series) != 4 {
				t.Errorf("no %s among %v", name, names)
			}
		}
		return
	}
	t.Error("no panel of a plug's power")
}

// testBalconyOnDashboard wants what is fed in below zero, and not taken off what is drawn.
func testBalconyOnDashboard(t *testing.T, server string) {
	all := map[string]string{"job": ".+", "room": ".*", "instance": ".+"}
	value := func(title string, target int, around string) float64 {
		for _, p := range dashboards(t)["home.json"].Panels {
			if p.Title == title {
				for _, v := range query(t, server, fmt.Sprintf(around, substitute(p.Targets[target].Expr, all))) {
					return v
				}
				t.Errorf("%s has no value", title)
			}
		}
		return 0
	}
	if lowest, highest := value("Power over time", 1, "min(min_over_time((%s)[1d:5m]))"), value("Power over time", 1, "max(max_over_time((%s)[1d:5m]))"); lowest > -300 || highest >= 0 {
		t.Errorf("from %v to %v W are fed in", lowest, highest)
	}
	if lowest := value("Power over time", 0, "min(min_over_time((%s)[1d:5m]))"); lowest < 0 {
		t.Errorf("%v W are drawn", lowest)
	}
	if day := value("Energy per day", 1, "max(max_over_time((%s)[6h:1h] offset 18h))"); day >= 0 {
		t.Errorf("%v kWh were fed in on a day", day)
	}
	drawn, returned, net := value("Energy this month", 0, "%s"), value("Fed in this month", 0, "%s"), value("Net this month", 0, "%s")
	if returned <= 0 || math.Abs(drawn-returned-net) > 0.1 {
		t.Errorf("%v kWh drawn, %v fed in, %v net", drawn, returned, net)
	}
}

// testCost compares what the rules record with the plugs' own counts.
func testCost(t *testing.T, server string) {
	energy, cost := query(t, server, `sum by (instance) (outlet:tapo_energy_kilowatthours:month)`), query(t, server, `sum by (instance) (outlet:tapo_cost:month)`)
	if energy["desk"] == 0 {
		t.Fatalf("energy %v, cost %v", energy, cost)
	}
	for instance, kwh := range energy {
		if c := cost[instance]; c < kwh*0.29 || c > kwh*0.31 {
			t.Errorf("%s: %v kWh cost %v", instance, kwh, c)
		}
	}
}
