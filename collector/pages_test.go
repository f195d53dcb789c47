// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestConfigPage(t *testing.T) {
	h := newHome(t, auths+"targets: [{name: a, address: 192.0.2.1}]\n")
	body := h.want(t, "/config", 200, "username: "+username, "<secret>", "name: a", "192.168.0.0/16")
	if strings.Contains(body, password) {
		t.Error("the password is shown")
	}
	newHome(t, auths+"unlisted: {networks: []}").want(t, "/config", 200, "networks: []")
}

// TestContentPolicy compares the hashes in the policy with what the page has.
func TestContentPolicy(t *testing.T) {
	h := newHome(t, auths)
	w := h.get("/")
	policy := w.Header().Get("Content-Security-Policy")
	for _, element := range []string{"style", "script"} {
		m := regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(w.Body.String(), -1)
		if len(m) != 1 {
			t.Fatalf("%d elements %s", len(m), element)
		}
		sum := sha256.Sum256([]byte(m[0][1]))
		if want := element + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "';"; !strings.Contains(policy, want) {
			t.Errorf("no %s in %s", want, policy)
		}
	}
	for _, want := range []string{"form-action 'self'", "default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("no %s in %s", want, policy)
		}
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "now", 59 * time.Second: "59 s ago", time.Minute: "1 min ago", 119 * time.Minute: "1 h ago", 47 * time.Hour: "47 h ago", 50 * time.Hour: "2 days ago",
	} {
		if got := ago(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}
