// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/collector/sessions"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

var (
	tableRow = regexp.MustCompile(`(?s)<tr[^>]*>(.*?)</tr>`)
	cell     = regexp.MustCompile(`(?s)<t[hd]( class="problem")?[^>]*>(.*?)</t[hd]>`)
	tag      = regexp.MustCompile(`<[^>]*>`)
	blanks   = regexp.MustCompile(`\s+`)
)

// rows returns the text of the cells of the table of plugs.
func rows(t *testing.T, page string) (all [][]string) {
	t.Helper()
	_, page, _ = strings.Cut(page, "</thead>")
	page, _, found := strings.Cut(page, "</table>")
	if !found {
		t.Fatal("no table")
	}
	for _, r := range tableRow.FindAllStringSubmatch(page, -1) {
		var cells []string
		for _, c := range cell.FindAllStringSubmatch(r[1], -1) {
			cells = append(cells, strings.TrimSpace(blanks.ReplaceAllString(tag.ReplaceAllString(c[2], ""), " ")))
		}
		all = append(all, cells)
	}
	return all
}

func TestStatusPage(t *testing.T) {
	p := startPlug(t, &simulator.Plug{Model: simulator.P115, Load: simulator.Constant(60)})
	lamp := startPlug(t, &simulator.Plug{Model: simulator.P105, Name: "Lamp", Off: true})
	strip := startPlug(t, &simulator.Plug{Model: simulator.P304M, Outlets: []simulator.Outlet{{Name: "Amplifier", Load: simulator.Constant(40)}, {Off: true}}})
	f := newFixture(t, targetYAML(p)+fmt.Sprintf(`
  - {name: lamp, address: '%s', labels: {room: hall}}
  - {name: strip, address: '%s'}
  - {name: gone, address: '127.0.0.1:1'}
`, lamp.Addr(), strip.Addr()))
	f.want(t, "/", 200, "not read yet", "/sd", "/config", "/metrics", "None yet")
	for _, name := range []string{"a", "a", "lamp", "strip", "gone"} {
		f.want(t, "/probe?target="+name, 200)
	}
	before := p.Stats().Requests
	page := f.want(t, "/", 200, "/probes/1", `<path d="M0.0 1.0h0L`, "60.0 to 60.0 W", "<strong>100.0 W</strong> now", "<strong>4</strong> plugs",
		"1 cannot be read", `<noscript><meta http-equiv="refresh"`)
	if p.Stats().Requests != before {
		t.Error("the page asked the plug")
	}
	got := rows(t, page)
	if !strings.Contains(page, "<strong>"+kilowattHours(t, got)+"</strong> today") {
		t.Errorf("the sum of %s is not there", kilowattHours(t, got))
	}
	for _, r := range got { // energy is since midnight and the 1st
		if len(r) == 10 && r[6] != "" && !strings.HasSuffix(r[6], " kWh") {
			t.Errorf("today: %q", r[6])
		}
		if len(r) == 10 {
			r[6] = ""
		}
	}
	advice := tapo.Unreachable.Advice()
	want := [][]string{
		{"a", "", "P115", "on", "60.0 W", "", "", "klap", "now", "good"},
		{"lamp", "hall", "P105", "off", "", "", "", "klap", "now", "good"},
		{"strip 1 Amplifier", "", "P304M", "on", "40.0 W", "", "", "klap", "now", "good"},
		{"strip 2", "", "P304M", "off", "0.0 W", "", "", "klap", "now", "good"},
		{"strip 3 Socket 3", "", "P304M", "on", "0.0 W", "", "", "klap", "now", "good"},
		{"strip 4 Socket 4", "", "P304M", "on", "0.0 W", "", "", "klap", "now", "good"},
		{"gone", "", "", "", "", "", "", "", "", "cannot be read"},
	}
	problem := got[len(got)-1]
	f.want(t, "/", 200, `<a href="/probes/5">Steps</a>`)
	if diff := cmp.Diff(want, got[:len(got)-1]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(problem) != 1 || !strings.HasPrefix(problem[0], "unreachable ") || !strings.HasSuffix(problem[0], advice+" Steps") {
		t.Errorf("%q", problem)
	}

	p.SetOverheated(true)
	f.want(t, "/probe?target=a", 200)
	f.want(t, "/", 200, `<span class="bad">overheated: switch off and unplug what it feeds</span>`)
	p.Close()
	f.want(t, "/probe?target=a", 200, "tapo_up 0")
	page = f.want(t, "/", 200, "2 cannot be read", "<strong>40.0 W</strong> now")
	if r := rows(t, page)[0]; r[2] != "P115" || r[3] != "" || r[4] != "" || r[9] != "cannot be read" {
		t.Errorf("values of a plug that cannot be read: %q", r)
	}
	f.want(t, "/probe?target=gone", 200)
	f.want(t, "/", 200, `<a href="/probes/7">Steps</a>`, `<a href="/probes/8">Steps</a>`) // the last ones
}

// kilowattHours adds up the column of today's energy.
func kilowattHours(t *testing.T, rows [][]string) string {
	t.Helper()
	total := 0.0
	for _, r := range rows {
		if len(r) == 10 && r[6] != "" {
			kwh, err := strconv.ParseFloat(strings.TrimSuffix(r[6], " kWh"), 64)
			if err != nil {
				t.Fatal(err)
			}
			total += kwh
		}
	}
	return fmt.Sprintf("%.3f kWh", total)
}

func TestStatusPageWithoutPlugs(t *testing.T) {
	newFixture(t, auths).want(t, "/", 200, "No targets are listed")
	newFixture(t, "auths: {home: {username: me@example.com, password: change-me}}\ntargets: [{name: a, address: 192.0.2.1}]").want(t, "/", 200,
		"bad_credentials", "Put the e-mail and the password of your TP-Link account into the configuration")
	newFixture(t, auths+"targets: [{name: a, address: 192.0.2.1, verify_replies: false}]").want(t, "/", 200, "verify_replies: false")
}

// TestStatusPageOfUnlistedPlugs is the set-up in which only Prometheus knows the
// plugs.
func TestStatusPageOfUnlistedPlugs(t *testing.T) {
	var network simulator.Network
	startPlug(t, &simulator.Plug{Network: &network, Listen: "192.168.1.20:80", Load: simulator.Constant(60)})
	f := newFixture(t, auths, func(o *Options) { o.DialContext = network.DialContext })
	f.want(t, "/probe?target=192.168.1.20", 200, "tapo_up 1")
	if r := rows(t, f.want(t, "/", 200, `href="/probe?target=192.168.1.20"`)); len(r) != 1 || r[0][0] != "192.168.1.20" || r[0][4] != "60.0 W" {
		t.Errorf("%q", r)
	}
	several := newFixture(t, strings.Replace(auths, "auths: {", "auths: {other: {username: x, password: y}, ", 1), func(o *Options) { o.DialContext = network.DialContext })
	several.want(t, "/probe?target=192.168.1.20&auth=other", 200, "tapo_up 0")
	several.want(t, "/", 200, `href="/probe?auth=other&amp;target=192.168.1.20"`)
}

// TestStatusPageOfLateProbes: what counts is what Prometheus has got.
func TestStatusPageOfLateProbes(t *testing.T) {
	p := startPlug(t, &simulator.Plug{Latency: 300 * time.Millisecond})
	f := newFixture(t, targetYAML(p))
	impatient := func() {
		r := httptest.NewRequest(http.MethodGet, "/probe?target=a", nil)
		r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "0.2")
		f.ServeHTTP(httptest.NewRecorder(), r)
	}
	impatient()
	f.want(t, "/", 200, "timeout", "1 cannot be read")
	f.want(t, "/probe?target=a", 200, "tapo_up 1")
	if r := rows(t, f.want(t, "/", 200)); r[0][9] != "good" {
		t.Errorf("%q", r)
	}
	impatient()
	time.Sleep(time.Second) // in which the read ends well, of which nobody heard
	f.want(t, "/", 200, "timeout", "1 cannot be read")
}

func TestStatusPageOfForgottenPlugs(t *testing.T) {
	o := tapo.Outlet{Number: 1, On: tapo.Some(true), Power: tapo.Some(60.0)}
	old := viewOutlet("a", tapo.Reading{Time: time.Now().Add(-6 * time.Minute)}, o, false, nil)
	if old.Power != "" || old.State != "" || old.Health[0].Level != "warn" || !strings.Contains(old.Health[0].Text, "not read for 6 minutes") {
		t.Errorf("%+v", old)
	}
}

func TestFilter(t *testing.T) {
	f := newFixture(t, auths+`
targets:
  - {name: fridge, address: 192.0.2.1, labels: {room: Kitchen}}
  - {name: kettle, address: 192.0.2.2, labels: {room: Kitchen}}
  - {name: tv, address: 192.0.2.3, labels: {room: '"><script>alert(1)</script>'}}
`)
	for filter, want := range map[string][]string{
		"": {"fridge", "kettle", "tv"}, "KITCHEN": {"fridge", "kettle"}, "kitchen+frid": {"fridge"}, "alert(1": {"tv"}, "nothing": nil, "itchen": nil, "%22%3E": {"fridge", "kettle", "tv"},
	} {
		page := f.want(t, "/?filter="+filter, 200)
		var shown []string
		for _, m := range regexp.MustCompile(`<tbody data-search="[^"]*">\s*<tr>\s*<th scope="row"><a href="[^"]*"><bdi>(\w+)</bdi></a>`).FindAllStringSubmatch(page, -1) {
			shown = append(shown, m[1])
		}
		if !slices.Equal(shown, want) || strings.Count(page, `data-search="`) != 3 || strings.Contains(page, "<script>alert") ||
			strings.Contains(page, `<p id="none">`) != (len(want) == 0) {
			t.Errorf("%q shows %v", filter, shown)
		}
	}
}

// TestContentPolicy compares the hashes in the policy with what the page has.
func TestContentPolicy(t *testing.T) {
	f := newFixture(t, auths)
	w := f.get("/")
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

func TestHealthInWords(t *testing.T) {
	yes, no := tapo.Some(true), tapo.Some(false)
	for name, c := range map[string]struct {
		reading tapo.Reading
		outlet  tapo.Outlet
		want    []finding
	}{
		"nothing known": {want: []finding{{"good", "good"}}},
		"all is well": {
			tapo.Reading{RSSI: tapo.Some(-79.0), ClockOffset: tapo.Some(-9 * time.Minute)},
			tapo.Outlet{Overheated: no, Overloaded: no, Overcurrent: no, ChargingFinished: no, Power: tapo.Some(2600.0), PowerLimit: tapo.Some(2960.0)},
			[]finding{{"good", "good"}},
		},
		"everything at once": {
			tapo.Reading{RSSI: tapo.Some(-80.0), ClockOffset: tapo.Some(-2 * time.Hour)},
			tapo.Outlet{Overheated: yes, Overloaded: yes, Overcurrent: yes, ChargingFinished: yes, Power: tapo.Some(2664.0), PowerLimit: tapo.Some(2960.0)},
			[]finding{
				{"bad", "overheated: switch off and unplug what it feeds"},
				{"bad", "switched off by power protection: reduce the load"},
				{"bad", "switched off by current protection: unplug what it feeds, and have it checked"},
				{"warn", "2664 W of the 2960 at which it switches itself off: reduce the load"},
				{"good", "charging has finished"},
				{"warn", "weak Wi-Fi, -80 dBm: move the plug or the access point"},
				{"warn", "clock 2 hours off: give the plug internet access, and check its time zone"},
			},
		},
	} {
		if diff := cmp.Diff(c.want, health(c.reading, c.outlet)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

var trendPath = regexp.MustCompile(`<path d="([^"]*)"`)

// TestTrendHasGapsAndOutlivesReloads probes a plug through a failure and a change
// of its settings.
func TestTrendHasGapsAndOutlivesReloads(t *testing.T) {
	p := startPlug(t, &simulator.Plug{Load: simulator.Constant(60)})
	f := newFixture(t, targetYAML(p))
	draw := func(reads int) string {
		t.Helper()
		for range reads {
			f.want(t, "/probe?target=a", 200)
			time.Sleep(5 * time.Millisecond)
		}
		m := trendPath.FindStringSubmatch(f.want(t, "/", 200))
		if m == nil {
			t.Fatal("no trend")
		}
		return m[1]
	}
	draw(2)
	p.Inject(simulator.Fault{Kind: simulator.NotJSON})
	draw(2)
	p.Heal()
	if path := draw(2); strings.Count(path, "M") != 2 || strings.Count(path, "L") != 2 {
		t.Errorf("a failure is no gap: %s", path)
	}
	if err := os.WriteFile(f.path, []byte(strings.Replace(targetYAML(p), "name: a", "verify_replies: false, name: a", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.store.Reload(); err != nil {
		t.Fatal(err)
	}
	if path := draw(1); strings.Count(path, "M")+strings.Count(path, "L") != 5 {
		t.Errorf("after a reload: %s", path)
	}
}

// TestFailingPlugShowsItsProtocol, which its refusal has shown.
func TestFailingPlugShowsItsProtocol(t *testing.T) {
	p := startPlug(t, &simulator.Plug{Model: simulator.P110TPAP, Username: username, Password: "another"})
	f := newFixture(t, targetYAML(p))
	f.want(t, "/probe?target=a", 200, `reason="bad_credentials"`)
	if r := rows(t, f.want(t, "/", 200)); r[0][7] != "tpap" {
		t.Errorf("%q", r)
	}
	f.want(t, "/probes/1", 200, ", tpap</p>")
}

func TestTrend(t *testing.T) {
	gap := float32(math.NaN())
	points := []sessions.TrendPoint{{UnixMilli: 0, Watts: 10}, {UnixMilli: 15_000, Watts: 110}, {UnixMilli: 30_000, Watts: gap}, {UnixMilli: 45_000, Watts: 0}, {UnixMilli: 60_000, Watts: 55}}
	if drawTrend(points[:1]) != nil {
		t.Error("a trend of one reading")
	}
	want := &trendView{Path: "M0.0 21.0h0L30.0 1.0M90.0 23.0h0L120.0 12.0", Label: "0.0 to 110.0 W in the last 1m0s, the last 55.0"}
	if diff := cmp.Diff(want, drawTrend(points)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	zero := []sessions.TrendPoint{{UnixMilli: 0}, {UnixMilli: 1000}}
	if got := drawTrend(zero); got == nil || got.Path != "M0.0 23.0h0L120.0 23.0" {
		t.Errorf("a plug that draws nothing: %+v", got)
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
