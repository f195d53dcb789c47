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
	own := strictly[compose](t, dir+"/compose.plugs.yml")[0].Services["exporter"]
	if len(own.Command) != 1 || !slices.Contains(own.Volumes, "./targets.yml:"+strings.TrimPrefix(own.Command[0], "--config.file=")+":ro") {
		t.Errorf("own plugs: %+v", own)
	}

	config, err := os.ReadFile(mounted["prometheus /etc/prometheus/prometheus.yml"])
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(\w+):(\d{4})`).FindAllStringSubmatch(string(config), -1) {
		if s := demo.Services[m[1]]; !slices.Contains(s.Ports, "127.0.0.1:"+m[2]+":"+m[2]) {
			t.Errorf("Prometheus is to ask %s, where nothing is", m[0])
		}
	}
	for _, m := range regexp.MustCompile(`- (tapo_\w+\.yml)`).FindAllStringSubmatch(string(config), -1) {
		if mounted["prometheus /etc/prometheus/"+m[1]] == "" {
			t.Errorf("%s is not mounted", m[1])
		}
	}
	plain, err := os.ReadFile(rulesDir + "/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	same := strings.NewReplacer("exporter:9782", "localhost:9782", "alertmanager:9093", "localhost:9093").Replace(string(config))
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

// manifest is the part of Kubernetes's API, and the Prometheus Operator's, in
// use.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   metadata
	StringData map[string]string `yaml:"stringData"`
	Data       map[string]string
	Spec       yaml.Node
}

type metadata struct {
	Name, Namespace string
	Labels          map[string]string
}

type labelSelector struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

type deployment struct {
	Replicas int
	Strategy struct{ Type string }
	Selector labelSelector
	Template struct {
		Metadata metadata
		Spec     struct {
			AutomountServiceAccountToken *bool `yaml:"automountServiceAccountToken"`
			SecurityContext              struct {
				RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
				RunAsUser      int                   `yaml:"runAsUser"`
				RunAsGroup     int                   `yaml:"runAsGroup"`
				FSGroup        int                   `yaml:"fsGroup"`
				SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
			} `yaml:"securityContext"`
			Containers []struct {
				Name, Image     string
				Args            []string
				Ports           []containerPort
				ReadinessProbe  probe `yaml:"readinessProbe"`
				LivenessProbe   probe `yaml:"livenessProbe"`
				Resources       struct{ Requests, Limits map[string]string }
				SecurityContext struct {
					AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
					ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
					Capabilities             struct{ Drop []string }
				} `yaml:"securityContext"`
				VolumeMounts []struct {
					Name      string
					MountPath string `yaml:"mountPath"`
					ReadOnly  bool   `yaml:"readOnly"`
				} `yaml:"volumeMounts"`
			}
			Volumes []struct {
				Name      string
				ConfigMap struct{ Name string } `yaml:"configMap"`
				Secret    struct {
					SecretName  string `yaml:"secretName"`
					DefaultMode int    `yaml:"defaultMode"`
				}
				PersistentVolumeClaim struct {
					ClaimName string `yaml:"claimName"`
				} `yaml:"persistentVolumeClaim"`
			}
		}
	}
}

type containerPort struct {
	Name          string
	ContainerPort int `yaml:"containerPort"`
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

type service struct {
	Selector map[string]string
	Ports    []struct {
		Name       string
		Port       int
		TargetPort string `yaml:"targetPort"`
	}
}

type claim struct {
	AccessModes []string `yaml:"accessModes"`
	Resources   struct{ Requests map[string]string }
}

type scrapeConfig struct {
	JobName        string `yaml:"jobName"`
	ScrapeInterval string `yaml:"scrapeInterval"`
	HTTPSDConfigs  []struct {
		URL             string
		RefreshInterval string `yaml:"refreshInterval"`
	} `yaml:"httpSDConfigs"`
}

type serviceMonitor struct {
	Selector  labelSelector
	Endpoints []struct{ Port, Interval string }
}

type prometheusProbe struct {
	JobName  string `yaml:"jobName"`
	Interval string
	Prober   struct{ URL, Path string }
	Targets  struct {
		StaticConfig struct {
			Static []string
			Labels map[string]string
		} `yaml:"staticConfig"`
	}
}

// spec decodes the specification of a manifest, strictly.
func spec[T any](t *testing.T, m manifest) (s T) {
	t.Helper()
	text, err := yaml.Marshal(&m.Spec)
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil {
		t.Fatalf("%s %s: %v", m.Kind, m.Metadata.Name, err)
	}
	return s
}

// TestKubernetes checks names against names, and the pod against the restricted
// profile of the pod security standards.
func TestKubernetes(t *testing.T) {
	files, err := filepath.Glob(examples + "/kubernetes/*.yml")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	kinds := map[string]manifest{}
	for _, file := range files {
		for _, m := range strictly[manifest](t, file) {
			kinds[m.Kind] = m
			if m.Metadata.Namespace != "monitoring" || m.Metadata.Name == "" || m.APIVersion == "" {
				t.Errorf("%s: %+v", file, m.Metadata)
			}
		}
	}
	d := spec[deployment](t, kinds["Deployment"])
	pod := d.Template.Spec
	c := pod.Containers[0]
	security, ofPod := c.SecurityContext, pod.SecurityContext
	if !ofPod.RunAsNonRoot || ofPod.RunAsUser == 0 || ofPod.SeccompProfile.Type != "RuntimeDefault" || *security.AllowPrivilegeEscalation ||
		!slices.Equal(security.Capabilities.Drop, []string{"ALL"}) || !security.ReadOnlyRootFilesystem || *pod.AutomountServiceAccountToken {
		t.Errorf("security: %+v, %+v", ofPod, security)
	}
	if d.Replicas != 1 || d.Strategy.Type != "Recreate" {
		t.Error("two exporters would read the same plugs at a time")
	}
	labels := d.Template.Metadata.Labels["app.kubernetes.io/name"]
	svc, monitor := spec[service](t, kinds["Service"]), spec[serviceMonitor](t, kinds["ServiceMonitor"])
	if labels == "" || d.Selector.MatchLabels["app.kubernetes.io/name"] != labels || svc.Selector["app.kubernetes.io/name"] != labels ||
		kinds["Service"].Metadata.Labels["app.kubernetes.io/name"] != monitor.Selector.MatchLabels["app.kubernetes.io/name"] {
		t.Error("selectors select nothing")
	}
	if c.Ports[0].ContainerPort != 9782 || svc.Ports[0].TargetPort != c.Ports[0].Name || monitor.Endpoints[0].Port != svc.Ports[0].Name ||
		c.ReadinessProbe.HTTPGet.Path != "/-/ready" || c.LivenessProbe.HTTPGet.Path != "/-/healthy" {
		t.Errorf("ports and probes: %+v, %+v", c, svc)
	}
	mounts := map[string]string{}
	for _, m := range c.VolumeMounts {
		mounts[m.Name] = m.MountPath
	}
	for _, v := range pod.Volumes {
		name := v.ConfigMap.Name + v.Secret.SecretName + v.PersistentVolumeClaim.ClaimName
		if mounts[v.Name] == "" || name != kinds["ConfigMap"].Metadata.Name || name != kinds["Secret"].Metadata.Name || name != kinds["PersistentVolumeClaim"].Metadata.Name {
			t.Errorf("volume %+v", v)
		}
	}
	if s := spec[claim](t, kinds["PersistentVolumeClaim"]); s.Resources.Requests["storage"] == "" {
		t.Errorf("%+v", s)
	}
	at := svcName(kinds["Service"]) + ":9782"
	if s := spec[scrapeConfig](t, kinds["ScrapeConfig"]); s.HTTPSDConfigs[0].URL != "http://"+at+"/sd" || s.JobName != "tapo" {
		t.Errorf("%+v", s)
	}
	if s := spec[prometheusProbe](t, kinds["Probe"]); s.Prober.URL != at || s.Prober.Path != "/probe" || len(s.Targets.StaticConfig.Static) == 0 {
		t.Errorf("%+v", s)
	}

	// The configuration is good once the password is where the pod has it.
	dir := t.TempDir()
	for name, text := range kinds["Secret"].StringData {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.ReplaceAll(kinds["ConfigMap"].Data["targets.yml"], mounts["secret"], dir)
	checkConfig(t, text, nil)
}

func svcName(m manifest) string { return m.Metadata.Name + "." + m.Metadata.Namespace + ".svc" }

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
