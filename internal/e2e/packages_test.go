// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const examples = root + "/examples"

// strictly decodes one document after the other, and refuses what the type does
// not have.
func strictly[T any](t *testing.T, path string) (all []T) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	for {
		var one T
		switch err := d.Decode(&one); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, one)
	}
}

// compose is the part of https://github.com/compose-spec/compose-spec in use.
type compose struct {
	Name     string
	Services map[string]struct {
		Build       string
		Image       string
		DependsOn   []string `yaml:"depends_on"`
		Command     []string
		Environment map[string]string
		Ports       []string
		Volumes     []string
		Restart     string
		ReadOnly    bool     `yaml:"read_only"`
		CapDrop     []string `yaml:"cap_drop"`
		SecurityOpt []string `yaml:"security_opt"`
	}
	Volumes map[string]struct{}
}

// override is what compose.plugs.yml has.
type override struct {
	Services map[string]struct {
		Command []string
		Volumes []struct {
			Type, Source, Target string
			ReadOnly             bool `yaml:"read_only"`
			Bind                 map[string]bool
		}
	}
}

// TestCompose wants what the services name to be there, and to fit together.
func TestCompose(t *testing.T) {
	dir := examples + "/compose"
	demo := strictly[compose](t, dir+"/compose.yml")[0]
	mounted := map[string]string{} // by service and path in the container
	for name, s := range demo.Services {
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: the port %s is open to the network", name, port)
			}
		}
		for _, volume := range s.Volumes {
			from, to, _ := strings.Cut(volume, ":")
			to, _, _ = strings.Cut(to, ":")
			mounted[name+" "+to] = filepath.Join(dir, from)
			if _, declared := demo.Volumes[from]; declared {
				continue
			}
			if _, err := os.Stat(filepath.Join(dir, from)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if tag := s.Image[strings.LastIndex(s.Image, ":")+1:]; s.Build == "" && !strings.ContainsAny(tag, "0123456789") {
			t.Errorf("%s: image %s without a version", name, s.Image)
		}
	}
	if s := demo.Services["exporter"]; !slices.Equal(s.Command, []string{"--demo"}) || !s.ReadOnly {
		t.Errorf("exporter: %+v", s)
	}
	if _, err := os.Stat(filepath.Join(dir, demo.Services["exporter"].Build, "Dockerfile")); err != nil {
		t.Error(err)
	}
	own := strictly[override](t, dir+"/compose.plugs.yml")[0].Services["exporter"]
	config, password := own.Volumes[0], own.Volumes[1]
	if own.Command[0] != "--config.file="+config.Target || config.Source != "./targets.yml" || password.Source != "./password" ||
		filepath.Dir(password.Target) != filepath.Dir(config.Target) || config.Bind["create_host_path"] || password.Bind["create_host_path"] {
		t.Errorf("own plugs: %+v", own)
	}
	// What is put there must not be committed by mistake.
	ignored, err := os.ReadFile(root + "/.gitignore")
	if err != nil || !strings.Contains(string(ignored), "\npassword\n") || !strings.Contains(string(ignored), "\ntargets.yml\n") {
		t.Errorf("git does not ignore passwords: %v", err)
	}

	scraping, err := os.ReadFile(mounted["prometheus /etc/prometheus/prometheus.yml"])
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(\w+):(\d{4})`).FindAllStringSubmatch(string(scraping), -1) {
		if s := demo.Services[m[1]]; !slices.Contains(s.Ports, "127.0.0.1:"+m[2]+":"+m[2]) {
			t.Errorf("Prometheus is to ask %s, where nothing is", m[0])
		}
	}
	for _, m := range regexp.MustCompile(`- (tapo_\w+\.yml)`).FindAllStringSubmatch(string(scraping), -1) {
		if mounted["prometheus /etc/prometheus/"+m[1]] == "" {
			t.Errorf("%s is not mounted", m[1])
		}
	}
	plain, err := os.ReadFile(rulesDir + "/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	same := strings.NewReplacer("exporter:9782", "localhost:9782", "alertmanager:9093", "localhost:9093").Replace(string(scraping))
	if !equalYAML(t, same, string(plain)) {
		t.Error("prometheus.yml differs from examples/prometheus by more than names")
	}
	var sources struct{ Datasources []struct{ URL string } }
	readYAML(t, mounted["grafana /etc/grafana/provisioning"]+"/datasources/prometheus.yml", &sources)
	if sources.Datasources[0].URL != "http://prometheus:9090" {
		t.Errorf("Grafana is to ask %s", sources.Datasources[0].URL)
	}
	var providers struct {
		Providers []struct{ Options struct{ Path string } }
	}
	readYAML(t, mounted["grafana /etc/grafana/provisioning"]+"/dashboards/tapo.yml", &providers)
	dashboards := mounted["grafana "+providers.Providers[0].Options.Path]
	start := filepath.Base(demo.Services["grafana"].Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
	if _, err := os.Stat(filepath.Join(dashboards, start)); err != nil {
		t.Error(err)
	}
}

func equalYAML(t *testing.T, a, b string) bool {
	t.Helper()
	var texts [2]string
	for i, text := range []string{a, b} {
		var content any
		if err := yaml.Unmarshal([]byte(text), &content); err != nil {
			t.Fatal(err)
		}
		again, err := yaml.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(again)
	}
	return texts[0] == texts[1]
}

// checkConfig has the program load a configuration.
func checkConfig(t *testing.T, text string, env []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "targets.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary(t), "--config.check", "--config.file="+path)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, text)
	}
}

// TestSystemd has systemd itself judge the unit.
func TestSystemd(t *testing.T) {
	t.Parallel()
	analyze := tool(t, "systemd-analyze")
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"tapo_exporter.service", "tapo_exporter.socket"} {
		text, err := os.ReadFile(filepath.Join(examples, "systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte("/usr/local/bin/tapo_exporter"), []byte(binary(t))), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if out, err := exec.CommandContext(t.Context(), analyze, append([]string{"verify"}, files...)...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--threshold=15", files[0]).CombinedOutput(); err != nil {
		t.Errorf("exposed more than 1.5 of 10: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	checkConfig(t, "auths: {home: {username: u, password_file: '${CREDENTIALS_DIRECTORY}/password'}}", []string{"CREDENTIALS_DIRECTORY=" + dir})
}

var (
	action = regexp.MustCompile(`uses: (\S+)(.*)`)
	pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
)

// TestWorkflowsArePinned wants the commit of every action, with its version.
func TestWorkflowsArePinned(t *testing.T) {
	files, err := filepath.Glob(root + "/.github/workflows/*.yml")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "\npermissions:\n  contents: read\n") {
			t.Errorf("%s: may do more than read", file)
		}
		for _, m := range action.FindAllStringSubmatch(string(text), -1) {
			if !pinned.MatchString(m[1]) || !strings.HasPrefix(m[2], " # v") {
				t.Errorf("%s: %s", file, m[0])
			}
		}
	}
}
