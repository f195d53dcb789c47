// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

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
	Endpoints []struct {
		Port, Interval string
		Relabelings    []struct {
			TargetLabel string `yaml:"targetLabel"`
			Replacement string
		}
	}
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
