// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestMetrics causes what each metric counts, with every protocol. Shared probes
// are in TestSharedReads.
func TestMetrics(t *testing.T) {
	inHome(t, 30*time.Millisecond, func(t *testing.T, h *home) {
		for i, target := range []string{"a", "b", "c"} {
			h.up(target) // a login
			h.plugs[i].LoseSession()
			h.up(target) // lost, and another
			h.plugs[i].SetCredentials(username, "another")
			h.up(target) // lost, and a failure
		}
		h.plugs[0].SetCredentials(username, password)
		h.reload(t, homeYAML("a-third"))
		h.reload(t, homeYAML(password))
		h.up("a") // a session that stands
		text := h.wantMetrics(t)
		want := `
tapo_exporter_login_failures_total{protocol="klap",reason="bad_credentials"} 1
tapo_exporter_login_failures_total{protocol="passthrough",reason="bad_credentials"} 1
tapo_exporter_login_failures_total{protocol="tpap",reason="bad_credentials"} 1
tapo_exporter_logins_total{protocol="klap"} 3
tapo_exporter_logins_total{protocol="passthrough"} 2
tapo_exporter_logins_total{protocol="tpap"} 2
tapo_exporter_plug_request_duration_seconds_bucket{protocol="klap",le="0.025"} 0
tapo_exporter_plug_request_duration_seconds_bucket{protocol="klap",le="0.05"} 13
tapo_exporter_plug_request_duration_seconds_count{protocol="klap"} 13
tapo_exporter_plug_requests_total{protocol="klap"} 13
tapo_exporter_plug_requests_total{protocol="passthrough"} 10
tapo_exporter_plug_requests_total{protocol="tpap"} 16
tapo_exporter_probes_shared_total 0
tapo_exporter_sessions_lost_total{protocol="klap"} 2
tapo_exporter_sessions_lost_total{protocol="passthrough"} 2
tapo_exporter_sessions_lost_total{protocol="tpap"} 2
tapo_exporter_sessions{protocol="klap"} 1
tapo_exporter_sessions{protocol="passthrough"} 0
tapo_exporter_sessions{protocol="tpap"} 0
`
		for line := range strings.Lines(strings.TrimPrefix(want, "\n")) {
			if !strings.Contains(text, "\n"+line) {
				name, _, _ := strings.Cut(line, "{")
				t.Errorf("no %sbut:\n%s", line, strings.Join(regexp.MustCompile("(?m)^"+strings.TrimSpace(name)+".*$").FindAllString(text, -1), "\n"))
			}
		}
	})
}

// TestStolenSessionsDoNotStand, nor do sessions that got no answer.
func TestStolenSessionsDoNotStand(t *testing.T) {
	inHome(t, 0, func(t *testing.T, h *home) {
		for i, target := range []string{"a", "b", "c"} {
			h.up(target)
			h.plugs[i].Inject(simulator.Fault{Kind: simulator.LoseSession, Path: []string{"/app/request", "/ds", "request /app"}[i]})
		}
		h.wantMetrics(t, `tapo_exporter_sessions{protocol="klap"} 1`, `tapo_exporter_sessions{protocol="passthrough"} 1`, `tapo_exporter_sessions{protocol="tpap"} 1`)
		for i, target := range []string{"a", "b", "c"} {
			if h.up(target) {
				t.Error("read all the same")
			}
			h.plugs[i].Heal()
		}
		h.wantMetrics(t, `tapo_exporter_sessions{protocol="klap"} 0`, `tapo_exporter_sessions{protocol="passthrough"} 0`, `tapo_exporter_sessions{protocol="tpap"} 0`)
		for _, target := range []string{"a", "b", "c"} {
			h.up(target)
		}
		h.wantMetrics(t, `tapo_exporter_sessions{protocol="klap"} 1`, `tapo_exporter_sessions{protocol="passthrough"} 1`, `tapo_exporter_sessions{protocol="tpap"} 1`)
	})
}
