// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

const rulesDir = root + "/examples/prometheus"

type rule struct {
	Record      string
	Alert       string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

// rules returns the rules of a file by group.
func rules(t *testing.T, file string) map[string][]rule {
	t.Helper()
	var content struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	readYAML(t, filepath.Join(rulesDir, file), &content)
	groups := map[string][]rule{}
	for _, g := range content.Groups {
		groups[g.Name] = g.Rules
	}
	return groups
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestRules has the tools of Prometheus and Alertmanager check everything there.
func TestRules(t *testing.T) {
	t.Parallel()
	tests, err := filepath.Glob(rulesDir + "/tests/*.yml")
	if err != nil || len(tests) < 4 {
		t.Fatalf("%d files of tests, %v", len(tests), err)
	}
	files := []string{rulesDir + "/tapo_settings.yml", rulesDir + "/tapo_rules.yml", rulesDir + "/tapo_alerts.yml"}
	for _, command := range [][]string{
		append([]string{"promtool", "check", "rules", "--lint=all"}, files...),
		{"promtool", "check", "config", rulesDir + "/prometheus.yml"},
		append([]string{"promtool", "test", "rules"}, tests...),
		{"amtool", "check-config", rulesDir + "/alertmanager.yml"},
	} {
		out, err := exec.CommandContext(t.Context(), tool(t, command[0]), command[1:]...).CombinedOutput()
		if err != nil || strings.Contains(string(out), "FAILED") {
			t.Errorf("%v: %v\n%s", command, err, out)
		}
	}
}

var camelCase = regexp.MustCompile(`^Tapo([A-Z][a-z]+)+$`)

// TestAlertsAreComplete holds alerts to what conventions want of them.
func TestAlertsAreComplete(t *testing.T) {
	anchors := headings(t, root+"/docs/alerts.md")
	fires, rests := testedAlerts(t)
	for group, all := range rules(t, "tapo_alerts.yml") {
		for _, r := range all {
			if !camelCase.MatchString(r.Alert) || strings.Contains(r.Expr, "job=") {
				t.Errorf("%s %q: %s", group, r.Alert, r.Expr)
			}
			if wait, err := time.ParseDuration(r.For); err != nil || wait < time.Minute {
				t.Errorf("%s: for %q", r.Alert, r.For)
			}
			if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
				t.Errorf("%s: severity %q", r.Alert, r.Labels["severity"])
			}
			if r.Annotations["summary"] == "" || len(r.Annotations["description"]) < 50 && r.Alert != "TapoApplianceFinished" {
				t.Errorf("%s: %q", r.Alert, r.Annotations)
			}
			page, anchor, _ := strings.Cut(r.Annotations["runbook_url"], "#")
			if !strings.HasSuffix(page, "/docs/alerts.md") || !anchors[anchor] {
				t.Errorf("%s: no %s", r.Alert, r.Annotations["runbook_url"])
			}
			if !fires[r.Alert] || !rests[r.Alert] {
				t.Errorf("%s: tested where it fires: %v, and where not: %v", r.Alert, fires[r.Alert], rests[r.Alert])
			}
			delete(anchors, strings.ToLower(r.Alert))
		}
	}
	for anchor := range anchors {
		if strings.HasPrefix(anchor, "tapo") {
			t.Errorf("docs/alerts.md has %s, which is no alert", anchor)
		}
	}
}

// testedAlerts returns the alerts of which a test says that they fire, and
// those of which one says that they do not.
func testedAlerts(t *testing.T) (fires, rests map[string]bool) {
	t.Helper()
	fires, rests = map[string]bool{}, map[string]bool{}
	for _, file := range []string{"alerts_test.yml", "missing_settings_test.yml"} {
		var content struct {
			Tests []struct {
				AlertRuleTest []struct {
					Alertname string
					ExpAlerts []any `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		readYAML(t, filepath.Join(rulesDir, "tests", file), &content)
		for _, one := range content.Tests {
			for _, a := range one.AlertRuleTest {
				if len(a.ExpAlerts) > 0 {
					fires[a.Alertname] = true
				} else {
					rests[a.Alertname] = true
				}
			}
		}
	}
	return fires, rests
}

var reasonMatcher = regexp.MustCompile(`reason=~?"([a-z_|]+)"`)

// TestEveryReasonHasAnAlert wants exactly one for each.
func TestEveryReasonHasAnAlert(t *testing.T) {
	alerts := map[string][]string{}
	for _, r := range rules(t, "tapo_alerts.yml")["tapo_plugs"] {
		for _, m := range reasonMatcher.FindAllStringSubmatch(r.Expr, -1) {
			for reason := range strings.SplitSeq(m[1], "|") {
				alerts[reason] = append(alerts[reason], r.Alert)
			}
		}
	}
	for _, reason := range tapo.Reasons() {
		if len(alerts[string(reason)]) != 1 {
			t.Errorf("%s has %v", reason, alerts[string(reason)])
		}
		delete(alerts, string(reason))
	}
	for reason := range alerts {
		t.Errorf("%s is no reason", reason)
	}
}

var recordName = regexp.MustCompile(`^[a-z]+:[a-z0-9_]+:[a-z0-9_]+$`)

// TestRuleNames wants level:metric:operation, and of every threshold that
// something compares with it.
func TestRuleNames(t *testing.T) {
	used := ""
	for _, file := range []string{"tapo_rules.yml", "tapo_alerts.yml"} {
		for _, group := range rules(t, file) {
			for _, r := range group {
				used += r.Expr + "\n"
				if r.Record != "" && !recordName.MatchString(r.Record) {
					t.Errorf("%s is not level:metric:operation", r.Record)
				}
			}
		}
	}
	for _, r := range rules(t, "tapo_settings.yml")["tapo_settings"] {
		if !strings.Contains(used, r.Record) {
			t.Errorf("nothing uses %s", r.Record)
		}
	}
}
