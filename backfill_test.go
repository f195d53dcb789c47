// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// startUsed starts plugs that have a history, and writes a targets.yml with them:
// a, b and so on.
func startUsed(t *testing.T, plugs ...*simulator.Plug) (configFile string) {
	t.Helper()
	var targets strings.Builder
	targets.WriteString("auths: {home: {username: u, password: p}}\ntargets:\n")
	for i, p := range plugs {
		if p.Load == nil {
			p.Load = simulator.Constant(60)
		}
		p.SetUp, p.Name = time.Now().AddDate(0, 0, -3), strconv.Itoa(i)
		startPlug(t, p)
		name := string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		fmt.Fprintf(&targets, "- {name: %s, address: '%s', labels: {room: r%d}}\n", name, p.Addr(), i)
	}
	configFile = filepath.Join(t.TempDir(), "targets.yml")
	if err := os.WriteFile(configFile, []byte(targets.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return configFile
}

var sampleLine = regexp.MustCompile(`(?m)^(\w+)\{(.*)\} ([0-9.]+) ([0-9]+)$`)

// TestBackfill writes the histories of plugs, to a file and to the standard output,
// with the labels of their targets.
func TestBackfill(t *testing.T) {
	t.Parallel()
	strip := &simulator.Plug{Model: simulator.P210M, Region: "Asia/Kolkata", Outlets: []simulator.Outlet{{Load: simulator.Constant(60)}, {Load: simulator.Constant(60)}}}
	config := startUsed(t, &simulator.Plug{Region: "Europe/Berlin"}, strip)
	path := filepath.Join(t.TempDir(), "history.txt")
	out, errs := ended(t, 0, "backfill", "--config.file="+config, "--all", "--job=plugs", "--output="+path)
	if out != "" || strings.Contains(errs, "\r") || !strings.Contains(errs, "b: ") || !strings.Contains(errs, "made of 5m, 1h\n") || !strings.Contains(errs, "2 of 2 targets written\n") {
		t.Errorf("%s%s", out, errs)
	}
	text, err := os.ReadFile(path)
	if err != nil || !bytes.HasSuffix(text, []byte("\n# EOF\n")) {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0o044 && os.PathSeparator == '/' {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	series := map[string]int{}
	for _, m := range sampleLine.FindAllStringSubmatch(string(text), -1) {
		series[m[1]+" "+m[2]]++
		seconds, _ := strconv.ParseInt(m[4], 10, 64)
		age := time.Since(time.Unix(seconds, 0))
		if age < headTime || age > 4*24*time.Hour {
			t.Fatalf("%v old: %s", age, m[0])
		}
		watts, _ := strconv.ParseFloat(m[3], 64)
		if wholeDay := age < 48*time.Hour; m[1] == "tapo_power_watts" && (watts > 60 || watts < 57 && wholeDay) {
			t.Fatal(m[0])
		}
	}
	for _, want := range []string{`instance="a",job="plugs",outlet="1",room="r0"`, `instance="b",job="plugs",outlet="1",room="r1"`, `instance="b",job="plugs",outlet="2",room="r1"`} {
		if series["tapo_power_watts "+want] < 500 || series["tapo_energy_joules_total "+want] < 500 {
			t.Errorf("%d samples of %s", series["tapo_power_watts "+want], want)
		}
	}
	if len(series) != 6 {
		t.Errorf("%v", series)
	}
	out, _ = ended(t, 0, "backfill", "--config.file="+config, "--from=5h", "--to=0s", "--resolution=1h", "b", "b")
	if n := len(sampleLine.FindAllString(out, -1)); n < 2*2*36 || n > 2*2*61 || !strings.HasSuffix(out, "# EOF\n") {
		t.Errorf("%d samples of four or five hours:\n%s", n, out)
	}
}

// TestBackfillOfSolar: of a plug that measures the direction only the energy is written
// that it drew. Its powers would be without a sign.
func TestBackfillOfSolar(t *testing.T) {
	t.Parallel()
	p := &simulator.Plug{Model: simulator.P410M, Load: simulator.LoadFunc(func(at time.Time) float64 {
		if at.Unix()/3600%2 == 0 {
			return -300
		}
		return 60
	})}
	config := startUsed(t, p, &simulator.Plug{})
	p.Refuse("get_emeter_data", -1002)
	out, errs := ended(t, 0, "backfill", "--config.file="+config, "--all")
	series := map[string]int{}
	for _, m := range sampleLine.FindAllStringSubmatch(out, -1) {
		series[m[1]+" "+m[2]]++
	}
	a, b := `instance="a",job="tapo",outlet="1",room="r0"`, `instance="b",job="tapo",outlet="1",room="r1"`
	if len(series) != 3 || series["tapo_energy_joules_total "+a] < 500 || series["tapo_power_watts "+b] < 500 || strings.Contains(out, "returned") {
		t.Errorf("%v", series)
	}
	const note = "; the plug measures the direction: only what it drew, without power and what it fed in (docs/solar.md)\n"
	if n := strings.Count(errs, note); n != 1 || !strings.Contains(errs, "a: ") {
		t.Errorf("%d plugs are said to measure the direction:\n%s", n, errs)
	}
	if p.Stats().Methods["get_power_data"] != 0 {
		t.Error("it was asked for powers")
	}
}

// TestBackfillCost: each plug receives few requests, with pauses. It is in one
// conversation at a time, and at most eight plugs are.
func TestBackfillCost(t *testing.T) {
	t.Parallel()
	var plugs []*simulator.Plug
	for range 20 {
		plugs = append(plugs, &simulator.Plug{Latency: 20 * time.Millisecond})
	}
	config := startUsed(t, plugs...)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	twice := fmt.Sprintf("targets:\n- {name: again, address: '%s'}\n", plugs[0].Addr()) // at the same time as the other one
	if err := os.WriteFile(config, bytes.Replace(text, []byte("targets:\n"), []byte(twice), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	most := 0
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		for ctx.Err() == nil {
			open := 0
			for _, p := range plugs {
				open += p.OpenConnections()
			}
			most = max(most, open)
			time.Sleep(time.Millisecond)
		}
	})
	began := time.Now()
	ended(t, 0, "backfill", "--config.file="+config, "--all", "--output="+filepath.Join(t.TempDir(), "history.txt"))
	cancel()
	watching.Wait()
	if most > plugsAtATime+4 || most < 3 { // plugs see their connections closed a little later
		t.Errorf("%d conversations at a time", most)
	}
	if took := time.Since(began); took < 3*5*250*time.Millisecond { // three rounds of six requests
		t.Errorf("all plugs in %v", took)
	}
	for i, p := range plugs {
		want := 11 // three to log in, one to ask what it is, one to read it, six for its histories
		if i == 0 {
			want *= 2
		}
		if got := p.Stats().Requests; got > want {
			t.Errorf("plug %d: %d requests, want %d", i, got, want)
		}
	}
}

// TestBackfillFails: a plug that fails is reported, nothing of it is written, and
// the histories of others are not lost.
func TestBackfillFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		model  simulator.Model
		change func(*simulator.Plug)
		want   []string
	}{
		"no history":       {simulator.P105, nil, []string{"the plug keeps no such history: this model does not measure energy\n  Only models"}},
		"no clock":         {simulator.P110, func(p *simulator.Plug) { p.SetClock(-26 * 365 * 24 * time.Hour) }, []string{"the plug's clock is wrong", "pool.ntp.org"}},
		"half way":         {simulator.P110, func(p *simulator.Plug) { p.Inject(simulator.Fault{Kind: simulator.Reset, Path: "/request", Skip: 4}) }, []string{"closed without an answer", "power"}},
		"another password": {simulator.P110, func(p *simulator.Plug) { p.SetCredentials("u", "other") }, []string{"credentials"}},
		"minus one": {simulator.P110, func(p *simulator.Plug) {
			p.Answer("get_energy_data", `{"data":[-1,-1,-5]}`)
			p.Refuse("get_power_data", -1002)
		}, []string{"its history holds nothing"}},
		"nothing there": {simulator.P110, func(p *simulator.Plug) { p.Close() }, []string{"refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad, good := &simulator.Plug{Model: tc.model}, &simulator.Plug{}
			config := startUsed(t, bad, good)
			if tc.change != nil {
				tc.change(bad)
			}
			dir := t.TempDir()
			path := filepath.Join(dir, "history.txt")
			out, errs := ended(t, 1, "backfill", "--config.file="+config, "--rejections.file=", "--output="+path, "a")
			for _, want := range tc.want {
				if !strings.Contains(errs, want) || out != "" {
					t.Errorf("no %q in %s", want, errs)
				}
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
				t.Errorf("%v, %v", entries, err)
			}
			ended(t, 1, "backfill", "--config.file="+config, "--rejections.file=", "a", "b")
			exit := 1
			if tc.model.Name == simulator.P105.Name {
				exit = 0 // all that can remember something
			}
			_, errs = ended(t, exit, "backfill", "--config.file="+config, "--rejections.file=", "--output="+path, "--all")
			text, err := os.ReadFile(path)
			if err != nil || !strings.Contains(errs, "b: ") || !bytes.HasSuffix(text, []byte("# EOF\n")) || !bytes.Contains(text, []byte(`"b"`)) || bytes.Contains(text, []byte(`"a"`)) {
				t.Errorf("%v %s", err, errs)
			}
		})
	}
}

// TestBackfillInterrupted: nothing is written.
func TestBackfillInterrupted(t *testing.T) {
	t.Parallel()
	config := startUsed(t, &simulator.Plug{})
	path := filepath.Join(t.TempDir(), "history.txt")
	ctx, cancel := context.WithCancel(t.Context()) // as a signal does
	defer cancel()
	time.AfterFunc(600*time.Millisecond, cancel)
	var errs bytes.Buffer
	if exit := run(ctx, []string{"backfill", "--config.file=" + config, "--output=" + path, "a"}, io.Discard, &errs); exit != 1 || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit %d: %s", exit, errs.String())
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestBackfillOverlap leaves out the hours that a server has.
func TestBackfillOverlap(t *testing.T) {
	t.Parallel()
	config := startUsed(t, &simulator.Plug{})
	has := `[]`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "hidden" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":%s}}`, has)
	}))
	defer server.Close()
	args := []string{"backfill", "--config.file=" + config, "--from=30h", "--check-overlap=" + strings.Replace(server.URL, "//", "//me:hidden@", 1), "a"}
	all, _ := ended(t, 0, args...)
	hour := time.Now().Add(-10 * time.Hour).Truncate(time.Hour)
	has = fmt.Sprintf(`[{"metric":{"outlet":"1"},"values":[[%d.999,"5"]]}]`, hour.Unix()+3599)
	some, _ := ended(t, 0, args...)
	if a, b := len(sampleLine.FindAllString(all, -1)), len(sampleLine.FindAllString(some, -1)); a-b != 24 {
		t.Errorf("%d samples, then %d", a, b)
	}
	_, errs := ended(t, 1, "backfill", "--config.file="+config, "--check-overlap="+server.URL, "a")
	if !strings.Contains(errs, "401") {
		t.Error(errs)
	}
}

// TestBackfillTargets: plugs are found by their mac, and read with the settings of
// their targets. The account of the example is not tried.
func TestBackfillTargets(t *testing.T) {
	t.Parallel()
	found := &simulator.Plug{Listen: "127.0.80.1:0", Discovery: "127.0.80.1:0"}
	old := &simulator.Plug{Model: simulator.P110Passthrough}
	startUsed(t, found, old)
	search, _ := ended(t, 0, "discover", "--format=json", "--timeout=300ms", "--address="+found.DiscoveryAddr().String())
	var devices []discovery.Device
	if err := json.Unmarshal([]byte(search), &devices); err != nil || len(devices) != 1 {
		t.Fatal(err, search)
	}
	config := filepath.Join(t.TempDir(), "targets.yml")
	text := fmt.Sprintf(`auths: {home: {username: u, password: p}, example: {username: u, password: change-me}}
discovery: {auth: home, addresses: ['%s']}
targets:
- {name: found, mac: %s, auth: home}
- {name: old, address: '%s', auth: home, allow_passthrough: true}
- {name: pinned, address: '%s', auth: home, protocol: tpap}
- {name: example, address: '%s', auth: example}
`, found.DiscoveryAddr(), devices[0].MAC, old.Addr(), found.Addr(), old.Addr())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs := ended(t, 1, "backfill", "--config.file="+config, "--rejections.file=", "--all")
	for _, want := range []string{"found: ", "old: ", "pinned: ", "example: the account in the configuration is still the example's", "2 of 4 targets written"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in %s", want, errs)
		}
	}
	if !strings.Contains(out, `instance="found"`) || !strings.Contains(out, `instance="old"`) || old.Stats().LoginFailures > 0 {
		t.Errorf("%d failed logins: %s", old.Stats().LoginFailures, errs)
	}
}

// TestBackfillUsage: wrong flags are refused before a plug is read.
func TestBackfillUsage(t *testing.T) {
	t.Parallel()
	config := startUsed(t, &simulator.Plug{})
	for exit, commands := range map[int][]string{
		2: {
			"", "--all a", "--from=yesterday a", "--to=2026-13-01 a", "--from=1h a", "--from=2d --to=3d a", "--resolution=2h a", "--check-overlap=localhost:9090 a",
			"--check-overlap=ftp://host a", "--check-overlap=http://me:hidden@host:bad a",
			"nobody", "--from", "--auth=other a", "--job= a", "--output= a",
		},
		1: {"--output=" + filepath.Join(belowFile(t), "history.txt") + " a", "--output=" + t.TempDir() + " a", "--check-overlap=http://127.0.0.1:1 a"},
	} {
		for _, command := range commands {
			out, errs := ended(t, exit, append([]string{"backfill", "--config.file=" + config}, strings.Fields(command)...)...)
			if out != "" || !strings.Contains(errs, "error: ") || strings.Contains(errs, "hidden") {
				t.Errorf("%s: %s%s", command, out, errs)
			}
		}
	}
	if _, errs := ended(t, 1, "backfill", "--config.file="+belowFile(t), "a"); !strings.Contains(errs, "below-a-file") {
		t.Error(errs)
	}
}
