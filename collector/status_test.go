// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	t.Parallel()
	p := startPlug(t, &simulator.Plug{Model: simulator.P115, Load: simulator.Constant(60)})
	lamp := startPlug(t, &simulator.Plug{Model: simulator.P105, Name: "Lamp", Off: true})
	strip := startPlug(t, &simulator.Plug{Model: simulator.P304M, Outlets: []simulator.Outlet{{Name: "Amplifier", Load: simulator.Constant(40)}, {Off: true}}})
	h := newHome(t, targetYAML(p)+fmt.Sprintf(`
  - {name: lamp, address: '%s', labels: {room: hall}}
  - {name: strip, address: '%s'}
  - {name: gone, address: '127.0.0.1:1'}
`, lamp.Addr(), strip.Addr()))
	h.want(t, "/", 200, "not read yet", "/sd", "/config", "/metrics", "None yet")
	for _, name := range []string{"a", "a", "lamp", "strip", "gone"} {
		h.want(t, "/probe?target="+name, 200)
	}
	before := p.Stats().Requests
	page := h.want(t, "/", 200, "/probes/1", `<path d="M0.0 1.0h0L`, "60.0 to 60.0 W", "<strong>100.0 W</strong> now", "<strong>4</strong> plugs",
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
	h.want(t, "/", 200, `<a href="/probes/5">Steps</a>`)
	if diff := cmp.Diff(want, got[:len(got)-1]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(problem) != 1 || !strings.HasPrefix(problem[0], "unreachable ") || !strings.HasSuffix(problem[0], advice+" Steps") {
		t.Errorf("%q", problem)
	}

	p.SetOverheated(true)
	h.want(t, "/probe?target=a", 200)
	h.want(t, "/", 200, `<span class="bad">overheated: switch off and unplug what it feeds</span>`)
	p.Close()
	h.want(t, "/probe?target=a", 200, "tapo_up 0")
	page = h.want(t, "/", 200, "2 cannot be read", "<strong>40.0 W</strong> now")
	if r := rows(t, page)[0]; r[2] != "P115" || r[3] != "" || r[4] != "" || r[9] != "cannot be read" {
		t.Errorf("values of a plug that cannot be read: %q", r)
	}
	h.want(t, "/probe?target=gone", 200)
	h.want(t, "/", 200, `<a href="/probes/7">Steps</a>`, `<a href="/probes/8">Steps</a>`) // the last ones
}

// TestStatusPageWithSolar: what is fed in is said in words, and sums do not cancel out.
func TestStatusPageWithSolar(t *testing.T) {
	balcony := startPlug(t, &simulator.Plug{Model: simulator.P410M})
	balcony.Refuse("get_emeter_data", -1002)
	answer := func(milliwatts int) {
		balcony.Answer("get_energy_usage", fmt.Sprintf(
			`{"current_power":%d,"today_energy":6,"today_energy_mwh":6127,"today_charge_energy":53,"today_charge_energy_mwh":53491}`, milliwatts))
	}
	desk := startPlug(t, &simulator.Plug{Load: simulator.Constant(60)})
	desk.Answer("get_energy_usage", `{"current_power":60000,"today_energy":500}`)
	h := newHome(t, targetYAML(balcony, desk))
	for _, tc := range []struct {
		milliwatts int
		power      string
		summary    string
	}{
		{-19231, "feeding in 19.2 W", "2 plugs · 60.0 W now · feeding in 19.2 W · 0.506 kWh today · fed in 0.053 kWh today"},
		{-49, "0.0 W", "2 plugs · 60.0 W now · 0.506 kWh today · fed in 0.053 kWh today"}, // no -0.0 W
		{1902, "1.9 W", "2 plugs · 61.9 W now · 0.506 kWh today · fed in 0.053 kWh today"},
	} {
		answer(tc.milliwatts)
		h.want(t, "/probe?target=a", 200, "tapo_up 1")
		h.want(t, "/probe?target=b", 200, "tapo_up 1")
		page := h.want(t, "/", 200)
		if got := rows(t, page); got[0][4] != tc.power || got[0][6] != "0.006 kWh, fed in 0.053 kWh" || got[1][6] != "0.500 kWh" {
			t.Errorf("at %d mW: %q", tc.milliwatts, got)
		}
		_, text, _ := strings.Cut(page, `<p class="summary">`)
		text, _, _ = strings.Cut(text, "</p>")
		if got := tag.ReplaceAllString(text, ""); got != tc.summary {
			t.Errorf("at %d mW: %s, want %s", tc.milliwatts, got, tc.summary)
		}
	}
	h.want(t, "/", 200, `<path class="zero" d="M0 `)
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
	newHome(t, auths).want(t, "/", 200, "No targets are listed")
	newHome(t, "auths: {home: {username: me@example.com, password: change-me}}\ntargets: [{name: a, address: 192.0.2.1}]").want(t, "/", 200,
		"bad_credentials", "Put the e-mail and the password of your TP-Link account into the configuration")
	newHome(t, auths+"targets: [{name: a, address: 192.0.2.1, verify_replies: false}]").want(t, "/", 200, "verify_replies: false")
}

// TestStatusPageOfUnlistedPlugs is the set-up in which only Prometheus knows the
// plugs.
func TestStatusPageOfUnlistedPlugs(t *testing.T) {
	var network simulator.Network
	startPlug(t, &simulator.Plug{Network: &network, Listen: "192.168.1.20:80", Load: simulator.Constant(60)})
	h := newHome(t, auths, func(o *Options) { o.DialContext = network.DialContext })
	h.want(t, "/probe?target=192.168.1.20", 200, "tapo_up 1")
	if r := rows(t, h.want(t, "/", 200, `href="/probe?target=192.168.1.20"`)); len(r) != 1 || r[0][0] != "192.168.1.20" || r[0][4] != "60.0 W" {
		t.Errorf("%q", r)
	}
	several := newHome(t, strings.Replace(auths, "auths: {", "auths: {other: {username: x, password: y}, ", 1), func(o *Options) { o.DialContext = network.DialContext })
	several.want(t, "/probe?target=192.168.1.20&auth=other", 200, "tapo_up 0")
	several.want(t, "/", 200, `href="/probe?auth=other&amp;target=192.168.1.20"`)
}

// TestStatusPageOfLateProbes: what counts is what Prometheus has got.
func TestStatusPageOfLateProbes(t *testing.T) {
	t.Parallel()
	p := startPlug(t, &simulator.Plug{Latency: 300 * time.Millisecond})
	h := newHome(t, targetYAML(p))
	probeLate := func() {
		r := httptest.NewRequest(http.MethodGet, "/probe?target=a", nil)
		r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "0.2")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	probeLate()
	h.want(t, "/", 200, "timeout", "1 cannot be read")
	h.want(t, "/probe?target=a", 200, "tapo_up 1")
	if r := rows(t, h.want(t, "/", 200)); r[0][9] != "good" {
		t.Errorf("%q", r)
	}
	probeLate()
	time.Sleep(time.Second) // in which the read ends well, of which nobody heard
	h.want(t, "/", 200, "timeout", "1 cannot be read")
}

func TestStatusPageOfForgottenPlugs(t *testing.T) {
	o := tapo.Outlet{Number: 1, On: tapo.Some(true), Power: tapo.Some(60.0)}
	old := viewOutlet("a", tapo.Reading{Time: time.Now().Add(-6 * time.Minute)}, o, false, nil)
	if old.Power != "" || old.State != "" || old.Health[0].Level != "warn" || !strings.Contains(old.Health[0].Text, "not read for 6 minutes") {
		t.Errorf("%+v", old)
	}
}

func TestFilter(t *testing.T) {
	h := newHome(t, auths+`
targets:
  - {name: fridge, address: 192.0.2.1, labels: {room: Kitchen}}
  - {name: kettle, address: 192.0.2.2, labels: {room: Kitchen}}
  - {name: tv, address: 192.0.2.3, labels: {room: '"><script>alert(1)</script>'}}
`)
	for filter, want := range map[string][]string{
		"": {"fridge", "kettle", "tv"}, "KITCHEN": {"fridge", "kettle"}, "kitchen+frid": {"fridge"}, "alert(1": {"tv"}, "nothing": nil, "itchen": nil, "%22%3E": {"fridge", "kettle", "tv"},
	} {
		page := h.want(t, "/?filter="+filter, 200)
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

// TestFailingPlugShowsItsProtocol, which its refusal has shown.
func TestFailingPlugShowsItsProtocol(t *testing.T) {
	p := startPlug(t, &simulator.Plug{Model: simulator.P110TPAP, Username: username, Password: "another"})
	h := newHome(t, targetYAML(p))
	h.want(t, "/probe?target=a", 200, `reason="bad_credentials"`)
	if r := rows(t, h.want(t, "/", 200)); r[0][7] != "tpap" {
		t.Errorf("%q", r)
	}
	h.want(t, "/probes/1", 200, ", tpap</p>")
}

// TestTrippedProtection: a plug may report that power protection has tripped beside a relay
// that is on and a load. Only a relay that is off and no load show that the outlet is off.
func TestTrippedProtection(t *testing.T) {
	p := startPlug(t, &simulator.Plug{Load: simulator.Constant(141.9)})
	h := newHome(t, targetYAML(p))
	for _, tc := range []struct{ on, watts, want string }{
		{`"device_on":true,`, "141.9", "power protection has tripped: reduce the load"},
		{``, "141.9", "power protection has tripped: reduce the load"},
		{`"device_on":false,`, "141.9", "power protection has tripped: reduce the load"},
		{`"device_on":false,`, "0", "power protection has tripped, the outlet is off: reduce the load"},
	} {
		p.SetRelay(tc.watts != "0")
		p.Answer("get_device_info", `{`+tc.on+`"type":"SMART.TAPOPLUG","model":"P110","power_protection_status":"overloaded"}`)
		h.want(t, "/probe?target=a", 200, "tapo_overloaded{outlet=\"1\"} 1\n", "tapo_power_watts{outlet=\"1\"} "+tc.watts+"\n")
		h.want(t, "/", 200, tc.want)
	}
}
