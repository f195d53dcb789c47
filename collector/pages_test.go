// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestConfigPage(t *testing.T) {
	h := newHome(t, auths+"targets: [{name: a, address: 192.0.2.1}]\n")
	body := h.want(t, "/config", 200, "username: <secret>", "password: <secret>", "name: a", "192.168.0.0/16")
	if strings.Contains(body, password) || strings.Contains(body, username) {
		t.Errorf("the account is shown:\n%s", body)
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

// TestHostileError: what a host says in an error changes nothing around it.
func TestHostileError(t *testing.T) {
	t.Parallel()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"error_code":0,"result":{"sub_method":"discover","tpap":{"port":"`, hostile, `"}}}`)
	}))
	defer host.Close()
	h := newHome(t, auths+"targets: [{name: a, address: '"+host.Listener.Addr().String()+"'}]\n")
	h.want(t, "/probe?target=a", 200, `reason="unsupported"`)
	for _, page := range []string{"/", "/probes/1"} {
		if body := h.want(t, page, 200, "a�b�31mc"); strings.ContainsAny(body, "\u202e\u009b") {
			t.Errorf("%s: %q", page, body)
		}
	}
}

// hostile is a name that changes the colours of a terminal, and the direction of what
// follows.
const hostile = "a\u202eb\u009b31mc"

// TestHostileName: a label has 256 bytes at most, and nothing that is not visible.
func TestHostileName(t *testing.T) {
	t.Parallel()
	p := startPlug(t, &simulator.Plug{Name: hostile + strings.Repeat("é", 50_000)})
	h := newHome(t, targetYAML(p))
	want := "a�b�31mc" + strings.Repeat("é", 122)
	h.want(t, "/probe?target=a", 200, `tapo_outlet_info{name="`+want+`",outlet="1"} 1`, `name="`+want+`",protocol="klap"`)
	h.want(t, "/", 200, "<bdi>"+want+"</bdi>")
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
