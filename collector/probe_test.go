// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestProbe(t *testing.T) {
	p := startPlug(t, &simulator.Plug{Name: "Kettle", Load: simulator.Constant(2000)})
	f := newFixture(t, targetYAML(p))
	for _, target := range []string{"a", p.Addr().String()} {
		body := f.want(t, "/probe?target="+target, 200,
			"tapo_up 1\n", "tapo_power_watts{outlet=\"1\"} 2000\n", `model="P110"`, `name="Kettle"`, `protocol="klap"`)
		if strings.Contains(body, "go_") || strings.Contains(body, "tapo_exporter_") || strings.Contains(body, "failure") {
			t.Errorf("foreign series in\n%s", body)
		}
	}
	if p.Stats().Logins != 1 {
		t.Errorf("%d logins: the session was not kept", p.Stats().Logins)
	}
	f.want(t, "/probe?target=a&auth=home", 200, "tapo_up 1\n")
	w := f.get("/probe?target=a", "Accept", "application/openmetrics-text; version=1.0.0")
	if !strings.HasSuffix(w.Body.String(), "# EOF\n") || !strings.Contains(w.Body.String(), "# TYPE tapo_energy_joules counter") {
		t.Errorf("OpenMetrics:\n%s", w.Body)
	}
}

// TestExposition checks the formats, the filter by name, and that nothing is
// compressed.
func TestExposition(t *testing.T) {
	f := newFixture(t, targetYAML(startPlug(t, &simulator.Plug{})))
	for accept, want := range map[string]string{
		"": "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
		"application/openmetrics-text;version=1.0.0":                                                 "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores",
	} {
		w := f.get("/probe?target=a", "Accept", accept, "Accept-Encoding", "gzip")
		if got := w.Header().Get("Content-Type"); got != want || w.Header().Get("Content-Encoding") != "" || !strings.Contains(w.Body.String(), "tapo_up") {
			t.Errorf("%q: %v\n%s", accept, w.Header(), w.Body)
		}
		if strings.Contains(w.Body.String(), "_created") {
			t.Errorf("%q: the plug does not report when a counter began", accept)
		}
	}
	body := f.want(t, "/probe?target=a&name[]=tapo_up&name[]=tapo_outlet_on", 200, "\ntapo_up 1\n", "\ntapo_outlet_on{")
	if strings.Count(body, "# TYPE ") != 2 {
		t.Errorf("more than what was asked for:\n%s", body)
	}
}

func TestProbeParameters(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	f := newFixture(t, fmt.Sprintf(`
auths:
  home: {username: u, password: p}
  office: {username: u, password: q}
targets:
  - {name: a, address: '%s', auth: home}
`, p.Addr()))
	for query, want := range map[string]string{
		"":                                "target is missing",
		"?target=":                        "target is missing",
		"?target=a&target=a":              "target is given more than once",
		"?target=b":                       `unknown target "b"`,
		"?target=a&auth=x":                `unknown auth "x"`,
		"?target=a&auth=office":           `has auth "home", not "office"`,
		"?target=a&auth=home&auth=office": "auth is given more than once",
		"?target=%zz":                     "cannot be parsed",
		"?target=10.0.0.1":                "auth is missing",
		"?target=10.0.0.1&auth=x":         `unknown auth "x"`,
		"?target=A":                       "unknown target",
		"?target=a%0a":                    "unknown target",
	} {
		body := f.want(t, "/probe"+query, 400, want)
		if strings.Count(body, "\n") != 1 {
			t.Errorf("%s: not one line: %q", query, body)
		}
	}
	if p.Stats().Requests != 0 {
		t.Errorf("%d requests", p.Stats().Requests)
	}
}

// TestUnlistedTargets runs plugs behind a dialer, since they live on port 80 of
// addresses that a test must not contact.
func TestUnlistedTargets(t *testing.T) {
	newer := startPlug(t, &simulator.Plug{Load: simulator.Constant(60)})
	older := startPlug(t, &simulator.Plug{Model: simulator.P110Passthrough})
	router := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+older.Addr().String()+r.URL.Path, http.StatusPermanentRedirect)
	}))
	defer router.Close()
	var mu sync.Mutex
	var dialled []string
	withDialer := func(o *Options) {
		o.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			dialled = append(dialled, address)
			to, ok := map[string]string{
				"10.0.0.1:80":      newer.Addr().String(),
				"[fd00::1]:80":     newer.Addr().String(),
				"192.168.0.2:80":   older.Addr().String(),
				"192.168.0.3:80":   router.Listener.Addr().String(),
				"192.168.0.4:8080": newer.Addr().String(),
			}[address]
			if !ok {
				return nil, fmt.Errorf("dialled %s", address)
			}
			return (&net.Dialer{}).DialContext(ctx, network, to)
		}
	}
	f := newFixture(t, auths+"targets: [{name: listed, address: '192.168.0.4:8080', allow_passthrough: true}]", withDialer)

	f.want(t, "/probe?target=10.0.0.1", 200, "tapo_up 1", `tapo_power_watts{outlet="1"} 60`)
	f.want(t, "/probe?target=10.0.0.1&auth=home", 200, "tapo_up 1")
	f.want(t, "/probe?target=::ffff:10.0.0.1", 200, "tapo_up 1")
	f.want(t, "/probe?target=fd00::1", 200, "tapo_up 1")
	if newer.Stats().Logins != 2 {
		t.Errorf("%d logins, want one per spelling that is another address", newer.Stats().Logins)
	}
	f.want(t, "/probe?target=192.168.0.2", 200, "tapo_up 0", `reason="passthrough_not_allowed"`)
	f.want(t, "/probe?target=192.168.0.3", 200, "tapo_up 0", `reason="not_a_plug"`)
	if s := older.Stats(); s.Logins != 0 || s.LoginFailures != 0 || s.Methods["login_device"] != 0 {
		t.Errorf("credentials were sent to an unlisted plug: %+v", s)
	}
	asked := len(dialled)
	for _, target := range []string{
		"10.0.0.1:80", "10.0.0.1:8080", "[fd00::1]:80", "8.8.8.8", "127.0.0.1", "::1", "169.254.169.254", "0.0.0.0", "::",
		"::ffff:8.8.8.8", "::ffff:127.0.0.1", "fe80::1", "fd00::1%25eth0", "localhost", "plug.lan", "10.0.0.1.", "010.0.0.1", "10.1", "0x0a000001",
		"167772161", "http://10.0.0.1", "10.0.0.1/app", "user@10.0.0.1", "10.0.0.1%23", "192.168.0.4", "2002:0a00:0001::", "64:ff9b::10.0.0.1",
	} {
		want := 400
		if target == "192.168.0.4" { // the listed plug's host, on the port that unlisted plugs have
			want = 200
		}
		f.want(t, "/probe?target="+target, want)
	}
	for _, address := range dialled[asked:] {
		if address != "192.168.0.4:80" {
			t.Errorf("dialled %s", address)
		}
	}

	closed := newFixture(t, auths+"unlisted: {networks: []}", withDialer)
	closed.want(t, "/probe?target=10.0.0.1", 400, "refused target")
	narrow := newFixture(t, auths+"unlisted: {networks: [10.0.0.1/32]}", withDialer)
	narrow.want(t, "/probe?target=10.0.0.1", 200, "tapo_up 1")
	narrow.want(t, "/probe?target=10.0.0.2", 400, "refused target")
}

func TestProbeFailures(t *testing.T) {
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
			f := newFixture(t, auths+"targets: [{name: a, address: '"+tc.address+"'}]")
			body := f.want(t, "/probe?target=a", 200, "tapo_up 0\n", `tapo_probe_failure_info{reason="`+tc.reason+`"} 1`, "tapo_probe_duration_seconds")
			for line := range strings.Lines(body) {
				if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "tapo_up") && !strings.HasPrefix(line, "tapo_probe_") {
					t.Errorf("a value although nothing was read: %s", line)
				}
			}
			f.want(t, "/", 200, tc.reason)
			if log := f.log.String(); !strings.Contains(log, "advice=") || !strings.Contains(log, "reason="+tc.reason) {
				t.Errorf("no advice in the log:\n%s", log)
			}
		})
	}
}

// TestMACTarget: this version cannot find it, and says so.
func TestMACTarget(t *testing.T) {
	f := newFixture(t, auths+"targets: [{name: a, mac: AA-BB-CC-00-11-22}]")
	f.want(t, "/probe?target=a", 200, "tapo_up 0\n", `reason="unreachable"`)
	f.want(t, "/sd", 200, `"instance":"a"`)
}

func TestHungPlugAnswersInTime(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	p.Inject(simulator.Fault{Kind: simulator.Hang})
	f := newFixture(t, targetYAML(p), func(o *Options) { o.Timeout, o.TimeoutOffset = 5*time.Second, 100*time.Millisecond })
	start := time.Now()
	w := f.get("/probe?target=a", "X-Prometheus-Scrape-Timeout-Seconds", "0.4")
	if took := time.Since(start); took > 400*time.Millisecond {
		t.Errorf("took %v", took)
	}
	if body := w.Body.String(); !strings.Contains(body, "tapo_up 0\n") || !strings.Contains(body, `reason="timeout"`) {
		t.Errorf("got\n%s", body)
	}
	f.want(t, "/probes/1", 200, "timeout", ">discover<")
	for _, bad := range []string{"soon", "-1", "0", "NaN"} {
		if w := f.get("/probe?target=a", "X-Prometheus-Scrape-Timeout-Seconds", bad); w.Code != 400 {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
}

func TestProbeTimeout(t *testing.T) {
	for _, tc := range []struct {
		header        string
		limit, offset time.Duration
		want          time.Duration
	}{
		{"", 10 * time.Second, 500 * time.Millisecond, 10 * time.Second},
		{"10", 10 * time.Second, 500 * time.Millisecond, 9500 * time.Millisecond},
		{"60", 10 * time.Second, 500 * time.Millisecond, 10 * time.Second},
		{"1", 10 * time.Second, 500 * time.Millisecond, 500 * time.Millisecond},
		{"0.4", 10 * time.Second, 500 * time.Millisecond, 200 * time.Millisecond},
		{"1e300", 10 * time.Second, 0, 10 * time.Second},
		{"+Inf", 10 * time.Second, 0, 10 * time.Second},
	} {
		h := http.Header{}
		if tc.header != "" {
			h.Set(timeoutHeader, tc.header)
		}
		if got, err := probeTimeout(h, tc.limit, tc.offset); err != nil || got != tc.want {
			t.Errorf("%s: %v, %v, want %v", tc.header, got, err, tc.want)
		}
	}
}

// TestSecretsStayInside searches everything that the exporter shows.
func TestSecretsStayInside(t *testing.T) {
	const secret = "Sup3r-Secret/p@ss"
	klapPlug := startPlug(t, &simulator.Plug{Username: username, Password: secret})
	oldPlug := startPlug(t, &simulator.Plug{Model: simulator.P110Passthrough, Username: username, Password: secret})
	wrong := startPlug(t, &simulator.Plug{Username: username, Password: "other"})
	f := newFixture(t, strings.Replace(targetYAML(klapPlug, oldPlug, wrong), password, secret, 1))
	var out strings.Builder
	for range 2 {
		for _, target := range []string{"a", "b", "c", "nobody", "10.0.0.1:80"} {
			out.WriteString(f.get("/probe?target=" + target).Body.String())
		}
		klapPlug.LoseSession()
		oldPlug.LoseSession()
	}
	for id := range 10 {
		out.WriteString(f.get(fmt.Sprintf("/probes/%d", id)).Body.String())
	}
	for _, path := range []string{"/", "/config", "/sd", "/metrics"} {
		out.WriteString(f.get(path).Body.String())
	}
	f.write(t, "auths: {home: {username: u, password:"+secret+"}}")
	out.WriteString(f.do(http.MethodPost, "/-/reload").Body.String())
	out.WriteString(f.log.String())
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

// FuzzParameters feeds anything to what a probe's URL and header go through.
func FuzzParameters(f *testing.F) {
	f.Add("target=10.0.0.1&auth=home", "10")
	f.Add("target=a&target=b", "NaN")
	f.Add("target=%00", "1e400")
	f.Add("target=::ffff:10.0.0.1%25eth0", "-1")
	c := &config.Config{
		Auths:   map[string]config.Auth{"home": {Username: username, Password: password}},
		Targets: []config.Target{{Name: "a", Address: "192.0.2.1", Auth: "home"}},
	}
	e := New(Options{Store: config.NewStaticStore(c, slog.New(slog.DiscardHandler))})
	f.Fuzz(func(t *testing.T, query, timeout string) {
		if got, err := probeTimeout(http.Header{timeoutHeader: {timeout}}, 10*time.Second, time.Second/2); err == nil && (got <= 0 || got > 10*time.Second) {
			t.Errorf("timeout %q: %v", timeout, got)
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		target, listed, err := e.resolveTarget(c, values)
		if err == nil && !listed && !c.Unlisted.Allows(netip.MustParseAddr(target.Address)) {
			t.Errorf("%q leads to %s", query, target.Address)
		}
	})
}
