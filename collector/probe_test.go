// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestProbe(t *testing.T) {
	p := startPlug(t, &simulator.Plug{Name: "Kettle", Load: simulator.Constant(2000)})
	h := newHome(t, targetYAML(p))
	for _, target := range []string{"a", p.Addr().String()} {
		body := h.want(t, "/probe?target="+target, 200,
			"tapo_up 1\n", "tapo_power_watts{outlet=\"1\"} 2000\n", `model="P110"`, `name="Kettle"`, `protocol="klap"`)
		if strings.Contains(body, "go_") || strings.Contains(body, "tapo_exporter_") || strings.Contains(body, "failure") {
			t.Errorf("foreign series in\n%s", body)
		}
	}
	if p.Stats().Logins != 1 {
		t.Errorf("%d logins: the session was not kept", p.Stats().Logins)
	}
	h.want(t, "/probe?target=a&auth=home", 200, "tapo_up 1\n")
	w := h.get("/probe?target=a", "Accept", "application/openmetrics-text; version=1.0.0")
	if !strings.HasSuffix(w.Body.String(), "# EOF\n") || !strings.Contains(w.Body.String(), "# TYPE tapo_energy_joules counter") {
		t.Errorf("OpenMetrics:\n%s", w.Body)
	}
}

// TestProbeOfPlugThatFeedsIn: what is drawn and what is fed back are two counters, and a
// counter in OpenMetrics has a family without _total.
func TestProbeOfPlugThatFeedsIn(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	p.Refuse("get_emeter_data", -1002)
	p.Answer("get_energy_usage", `{"current_power":-19231,"today_energy":6,"today_energy_mwh":6127,"month_energy":6,"month_energy_mwh":6127,`+
		`"today_charge_energy":42,"today_charge_energy_mwh":42498,"month_charge_energy":53,"month_charge_energy_mwh":53491}`)
	h := newHome(t, targetYAML(p))
	body := h.get("/probe?target=a", "Accept", "application/openmetrics-text; version=1.0.0").Body.String()
	for _, line := range []string{
		`tapo_power_watts{outlet="1"} -19.231`, `tapo_energy_joules_total{outlet="1"} 22057.2`, `tapo_energy_month_joules{outlet="1"} 22057.2`,
		"# TYPE tapo_energy_returned_joules counter", `tapo_energy_returned_joules_total{outlet="1"} 192567.6`,
		`tapo_energy_returned_month_joules{outlet="1"} 192567.6`, `tapo_energy_returned_today_joules{outlet="1"} 152992.8`,
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("no %s in\n%s", line, body)
		}
	}
	p.Answer("get_energy_usage", `{"current_power":71000,"today_energy":6,"month_energy":6}`)
	if body := h.probed("a"); strings.Contains(body, "returned") {
		t.Errorf("a plug that does not measure the direction has returned energy:\n%s", body)
	}
}

// TestSunrise: under a standing session a P410M begins to feed in, and its get_emeter_data
// stops being JSON. The power has the sign that it should have in each read, and a read is
// one request again.
func TestSunrise(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P410M, simulator.P410MTPAP} {
		t.Run(m.Protocol.String(), func(t *testing.T) {
			var milliwatts atomic.Int64
			p := startPlug(t, &simulator.Plug{
				Model: m, TPAP: simulator.TPAPOptions{Iterations: 10},
				Load: simulator.LoadFunc(func(time.Time) float64 { return float64(milliwatts.Load()) / 1000 }),
			})
			h := newHome(t, targetYAML(p))
			for i, tc := range []struct {
				milliwatts int64
				want       string
				requests   int // 0 if it does not matter
			}{
				{1902, "1.902", 0}, {1902, "1.902", 1}, {-19231, "-19.231", 0}, {-19231, "-19.231", 1}, {-1, "-0.001", 1}, {1902, "1.902", 1},
			} {
				milliwatts.Store(tc.milliwatts)
				before := p.Stats().Requests
				body := h.probed("a")
				if !strings.Contains(body, "tapo_up 1\n") || !strings.Contains(body, `tapo_power_watts{outlet="1"} `+tc.want+"\n") ||
					!strings.Contains(body, `tapo_energy_returned_joules_total{outlet="1"} `) {
					t.Errorf("read %d, at %d mW:\n%s", i, tc.milliwatts, body)
				}
				if got := p.Stats().Requests - before; tc.requests > 0 && got != tc.requests {
					t.Errorf("read %d, at %d mW: %d requests, want %d", i, tc.milliwatts, got, tc.requests)
				}
			}
			if s := p.Stats(); s.Logins != 1 {
				t.Errorf("%d logins", s.Logins)
			}
		})
	}
}

func TestProbeFailures(t *testing.T) {
	t.Parallel()
	router := httptest.NewServer(http.NotFoundHandler())
	defer router.Close()
	const nobody = "127.0.0.1:1" // no port that was free a moment ago: another plug might get it
	upper := startPlug(t, &simulator.Plug{Username: "User@Example.com", Password: password})
	for _, tc := range []struct {
		name, address, reason string
	}{
		{"router", router.Listener.Addr().String(), "not_a_plug"},
		{"nobody", nobody, "unreachable"},
		{"letter case", upper.Addr().String(), "bad_credentials"},
		{"old firmware", startPlug(t, &simulator.Plug{Model: simulator.P100Old}).Addr().String(), "passthrough_not_allowed"},
		{"new firmware", startPlug(t, &simulator.Plug{Model: simulator.P110TPAP, TPAP: simulator.TPAPOptions{Pake: []int{3}}}).Addr().String(), "unsupported"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHome(t, auths+"targets: [{name: a, address: '"+tc.address+"'}]")
			body := h.want(t, "/probe?target=a", 200, "tapo_up 0\n", `tapo_probe_failure_info{reason="`+tc.reason+`"} 1`, "tapo_probe_duration_seconds")
			for line := range strings.Lines(body) {
				if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "tapo_up") && !strings.HasPrefix(line, "tapo_probe_") {
					t.Errorf("a value although nothing was read: %s", line)
				}
			}
			h.want(t, "/", 200, tc.reason)
			if log := h.log.String(); !strings.Contains(log, "advice=") || !strings.Contains(log, "reason="+tc.reason) {
				t.Errorf("no advice in the log:\n%s", log)
			}
		})
	}
}

// TestMACTarget is not found: nothing replies to the search.
func TestMACTarget(t *testing.T) {
	t.Parallel()
	h := newHome(t, auths+"targets: [{name: a, mac: "+aMAC+"}]", shortSearches)
	h.want(t, "/probe?target=a", 200, "tapo_up 0\n", `reason="unreachable"`)
	h.want(t, "/sd", 200, `"instance":"a"`)
}

func TestHungPlugAnswersInTime(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	p.Inject(simulator.Fault{Kind: simulator.Hang})
	h := newHome(t, targetYAML(p), func(o *Options) { o.Timeout, o.TimeoutOffset = 5*time.Second, 100*time.Millisecond })
	start := time.Now()
	w := h.get("/probe?target=a", "X-Prometheus-Scrape-Timeout-Seconds", "0.4")
	if took := time.Since(start); took > 400*time.Millisecond {
		t.Errorf("took %v", took)
	}
	if body := w.Body.String(); !strings.Contains(body, "tapo_up 0\n") || !strings.Contains(body, `reason="timeout"`) {
		t.Errorf("got\n%s", body)
	}
	h.want(t, "/probes/1", 200, "timeout", ">discover<")
	for _, bad := range []string{"soon", "-1", "0", "NaN"} {
		if w := h.get("/probe?target=a", "X-Prometheus-Scrape-Timeout-Seconds", bad); w.Code != 400 {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
}

// TestSecretsStayInside searches everything that the exporter shows.
func TestSecretsStayInside(t *testing.T) {
	const secret = "Sup3r-Secret/p@ss"
	klapPlug := startPlug(t, &simulator.Plug{Username: username, Password: secret})
	oldPlug := startPlug(t, &simulator.Plug{Model: simulator.P110Passthrough, Username: username, Password: secret})
	wrong := startPlug(t, &simulator.Plug{Username: username, Password: "other"})
	h := newHome(t, strings.Replace(targetYAML(klapPlug, oldPlug, wrong), password, secret, 1))
	var out strings.Builder
	for range 2 {
		for _, target := range []string{"a", "b", "c", "nobody", "10.0.0.1:80"} {
			out.WriteString(h.get("/probe?target=" + target).Body.String())
		}
		klapPlug.LoseSession()
		oldPlug.LoseSession()
	}
	for id := range 10 {
		out.WriteString(h.get(fmt.Sprintf("/probes/%d", id)).Body.String())
	}
	for _, path := range []string{"/", "/config", "/sd", "/metrics"} {
		out.WriteString(h.get(path).Body.String())
	}
	h.write(t, "auths: {home: {username: u, password:"+secret+"}}")
	out.WriteString(h.do(http.MethodPost, "/-/reload").Body.String())
	out.WriteString(h.log.String())
	shown := strings.ToLower(out.String())
	userHash, passwordHash := sha1.Sum([]byte(username)), sha1.Sum([]byte(secret))
	authHash := sha256.Sum256(append(userHash[:], passwordHash[:]...))
	for what, s := range map[string]string{
		"password": secret, "base64": base64.StdEncoding.EncodeToString([]byte(secret)),
		"hash":        hex.EncodeToString(passwordHash[:]),
		"auth hash":   hex.EncodeToString(authHash[:]),
		"cookie":      "tp_sessionid",
		"token query": "token=",
	} {
		if strings.Contains(shown, strings.ToLower(s)) {
			t.Errorf("the %s is shown", what)
		}
	}
	if !strings.Contains(shown, "handshake1") || !strings.Contains(shown, "<secret>") {
		t.Error("pages and logs are empty: this test looks at nothing")
	}
}

// TestExposition checks the formats, the filter by name, and that nothing is
// compressed.
func TestExposition(t *testing.T) {
	h := newHome(t, targetYAML(startPlug(t, &simulator.Plug{})))
	for accept, want := range map[string]string{
		"": "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
		"application/openmetrics-text;version=1.0.0":                                                 "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores",
	} {
		w := h.get("/probe?target=a", "Accept", accept, "Accept-Encoding", "gzip")
		if got := w.Header().Get("Content-Type"); got != want || w.Header().Get("Content-Encoding") != "" || !strings.Contains(w.Body.String(), "tapo_up") {
			t.Errorf("%q: %v\n%s", accept, w.Header(), w.Body)
		}
		if strings.Contains(w.Body.String(), "_created") {
			t.Errorf("%q: the plug does not report when a counter began", accept)
		}
	}
	body := h.want(t, "/probe?target=a&name[]=tapo_up&name[]=tapo_outlet_on", 200, "\ntapo_up 1\n", "\ntapo_outlet_on{")
	if strings.Count(body, "# TYPE ") != 2 {
		t.Errorf("more than what was asked for:\n%s", body)
	}
}
