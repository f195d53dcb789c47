// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const dashboardsDir = root + "/grafana/dashboards"

// dashboard is what matters here of Grafana's JSON.
type dashboard struct {
	UID         string
	Title       string
	Description string
	Editable    *bool
	Templating  struct{ List []variable }
	Panels      []panel
}

type variable struct {
	Name, Label, Type string
	Query             any // an object, or a data source's type
	Definition        string
	AllValue          string
	IncludeAll, Multi bool
	Refresh           int
	Datasource        datasource
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               datasource
	GridPos                  struct{ X, Y, W, H int }
	Interval                 string
	FieldConfig              struct {
		Defaults struct {
			Unit    string
			NoValue string
			Min     *float64
		}
	}
	Targets []struct {
		Expr         string
		LegendFormat string
		RefID        string `json:"refId"`
		Instant      bool
		Datasource   datasource
	}
}

type datasource struct{ Type, UID string }

// dashboards returns all that are shipped, by name of the file.
func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob(dashboardsDir + "/*.json")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	all := map[string]dashboard{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = d
	}
	return all
}

var fromVariable = datasource{"prometheus", "${datasource}"}

// TestDashboards holds dashboards to what Grafana's linter and the conventions
// of Prometheus's mixins want.
func TestDashboards(t *testing.T) {
	uids := map[string]bool{}
	for file, d := range dashboards(t) {
		if d.UID == "" || uids[d.UID] || d.Title == "" || d.Description == "" || d.Editable == nil || *d.Editable {
			t.Errorf("%s: uid %q, title %q, description %q, editable %v", file, d.UID, d.Title, d.Description, d.Editable)
		}
		uids[d.UID] = true
		d.lintVariables(t, file)
		d.lintPanels(t, file)
	}
}

func (d dashboard) lintVariables(t *testing.T, file string) {
	t.Helper()
	var names []string
	for _, v := range d.Templating.List {
		names = append(names, v.Name)
		switch {
		case v.Label == "":
			t.Errorf("%s: variable %s has no label", file, v.Name)
		case v.Type == "datasource":
			if v.Query != "prometheus" {
				t.Errorf("%s: data source of type %v", file, v.Query)
			}
		case v.Type != "query" || v.Datasource != fromVariable || v.Refresh != 2: // when the time range changes
			t.Errorf("%s: variable %+v", file, v)
		case v.IncludeAll && v.AllValue == "":
			t.Errorf("%s: All of %s would be a list of what there is now", file, v.Name)
		}
	}
	wanted := []string{"datasource", "job", "instance"}
	if file != "exporter.json" {
		wanted = append(wanted, "room")
	}
	for _, name := range wanted {
		if !slices.Contains(names, name) {
			t.Errorf("%s: no variable %s", file, name)
		}
	}
}

func (d dashboard) lintPanels(t *testing.T, file string) {
	t.Helper()
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range d.Panels {
		if p.ID == 0 || ids[p.ID] {
			t.Errorf("%s %s: id %d", file, p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s: %s lies over %q or sticks out", file, p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		defaults := p.FieldConfig.Defaults
		if p.Title == "" || !strings.HasSuffix(p.Description, ".") || defaults.Unit == "" || defaults.NoValue == "" || p.Datasource != fromVariable || len(p.Targets) == 0 {
			t.Errorf("%s %s: %+v", file, p.Title, p)
		}
		for _, target := range p.Targets {
			if p.Type == "timeseries" && defaults.Min != nil && strings.Contains(target.Expr, "tapo_power_watts") {
				t.Errorf("%s %s: the axis hides what is fed in", file, p.Title)
			}
			if target.Datasource != fromVariable || target.RefID == "" {
				t.Errorf("%s %s: %+v", file, p.Title, target)
			}
			lintExpression(t, file+" "+p.Title, target.Expr)
		}
	}
}

var (
	// A metric or a recorded series, and what it is selected by.
	selector = regexp.MustCompile(`\b((?:process|tapo)_[a-z_]+|[a-z]+:[a-z0-9_]+:[a-z0-9_]+)(\{[^}]*\})?`)
	window   = regexp.MustCompile(`\[([^\]]*)\]`)
	counters = regexp.MustCompile(`(\w+)\(\w+(?:_total|_bucket)\{[^}]*\}\[`)
)

func lintExpression(t *testing.T, where, expr string) {
	t.Helper()
	selectors := selector.FindAllStringSubmatch(expr, -1)
	if len(selectors) == 0 {
		t.Errorf("%s: no metric in %s", where, expr)
	}
	inCounters := 0
	for _, m := range selectors {
		ofPlugs := strings.Contains(m[2], `job=~"$plugs"`) // on the exporter's dashboard
		if !ofPlugs && (!strings.Contains(m[2], `job=~"$job"`) || !strings.Contains(m[2], `instance=~"$instance"`)) {
			t.Errorf("%s: %s is not of the chosen job and instance", where, m[0])
		}
		if strings.HasSuffix(m[1], "_total") || strings.HasSuffix(m[1], "_bucket") {
			inCounters++
		}
	}
	rates := counters.FindAllStringSubmatch(expr, -1)
	if len(rates) != inCounters {
		t.Errorf("%s: a counter as it is: %s", where, expr)
	}
	for _, r := range rates {
		if r[1] != "rate" && r[1] != "increase" {
			t.Errorf("%s: %s of a counter", where, r[1])
		}
	}
	for _, w := range window.FindAllStringSubmatch(expr, -1) {
		if w[1] != "$__rate_interval" && w[1] != "1d" { // a bar per day
			t.Errorf("%s: a range of %s", where, w[1])
		}
	}
}

// TestProvisioning wants what Grafana's provisioning names to be there.
func TestProvisioning(t *testing.T) {
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct{ Name, UID, Type, URL string }
	}
	readYAML(t, root+"/grafana/provisioning/datasources/prometheus.yml", &sources)
	if sources.APIVersion != 1 || len(sources.Datasources) != 1 || sources.Datasources[0].Type != "prometheus" || sources.Datasources[0].URL == "" {
		t.Errorf("%+v", sources)
	}
	var providers struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Type string
			Options    struct{ Path string }
		}
	}
	readYAML(t, root+"/grafana/provisioning/dashboards/tapo.yml", &providers)
	if providers.APIVersion != 1 || len(providers.Providers) != 1 || providers.Providers[0].Type != "file" || providers.Providers[0].Options.Path == "" {
		t.Errorf("%+v", providers)
	}
}
