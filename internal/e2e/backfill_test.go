// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/collector"
	"github.com/tapo-exporter/tapo_exporter/internal/backfill"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// life is what a desk and its plug have been through: ten days in which
// Prometheus was there, but for a day and a half.
type life struct {
	region      string
	ends        string // RFC 3339
	outageBegan time.Duration
}

const (
	scrapedFor = 10 * 24 * time.Hour // before the end
	setUpFor   = 40 * 24 * time.Hour
	outage     = 30*time.Hour + 20*time.Minute
	afterwards = 2 * time.Hour // from the backfill to the end
	lookBack   = 3 * time.Hour

	scrapeEvery = 5 * time.Minute // the longest that Prometheus looks back
)

var lives = map[string]life{
	"out of summer":      {"Europe/Berlin", "2025-11-01T12:00:00Z", 6*24*time.Hour + 9*time.Hour},
	"into summer":        {"Europe/Berlin", "2026-04-01T12:00:00Z", 4*24*time.Hour + 20*time.Hour},
	"switch on the 1st":  {"America/New_York", "2026-11-05T17:00:00Z", 3*24*time.Hour + 9*time.Hour},
	"without a switch":   {"Asia/Kolkata", "2026-02-03T03:00:00Z", 7*24*time.Hour + 22*time.Hour},
	"where summer is up": {"Australia/Sydney", "2026-04-07T23:00:00Z", 3 * 24 * time.Hour},
}

// story is what is left of a life.
type story struct {
	outlets   []backfill.Outlet // as read before the end
	target    config.Target
	scraped   []byte // what Prometheus has, in OpenMetrics format
	later     []byte // what it has if it was installed when the plug was read
	days      []tapo.EnergySlot
	months    []tapo.EnergySlot
	ends      time.Time
	outage    [2]time.Time
	location  *time.Location
	readAgain []backfill.Outlet // a quarter of an hour after the first time
}

// desk is where somebody works on weekdays, and has a heater on in the evening.
func desk(loc *time.Location) simulator.Load {
	computer := simulator.Computer()
	return simulator.LoadFunc(func(at time.Time) float64 {
		local := at.In(loc)
		weekend := local.Weekday() == time.Saturday || local.Weekday() == time.Sunday
		switch hour := local.Hour(); {
		case hour >= 8 && hour < 17 && !weekend:
			return computer.Watts(at)
		case hour >= 18 && hour < 22:
			return 260.4
		}
		return 1.3
	})
}

// live lives through it in simulated time.
func (l life) live(t *testing.T) (s story) {
	t.Helper()
	var err error
	if s.location, err = time.LoadLocation(l.region); err != nil {
		t.Fatal(err)
	}
	if s.ends, err = time.Parse(time.RFC3339, l.ends); err != nil {
		t.Fatal(err)
	}
	began := s.ends.Add(-scrapedFor)
	s.outage = [2]time.Time{began.Add(l.outageBegan), began.Add(l.outageBegan + outage)}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(began))
		network := new(simulator.Network)
		plug := &simulator.Plug{
			Username: "me@example.com", Password: "secret", Region: l.region, Load: desk(s.location), SetUp: s.ends.Add(-setUpFor), Network: network, Listen: "192.0.2.1:80",
		}
		if err := plug.Start(); err != nil {
			t.Fatal(err)
		}
		defer plug.Close()
		credentials := tapo.Credentials{Username: plug.Username, Password: tapo.Secret(plug.Password)}
		s.target = config.Target{Name: "desk", Address: "192.0.2.1", Auth: "home", Credentials: credentials, Labels: map[string]string{"room": "office"}}
		store := config.NewStaticStore(&config.Config{Auths: map[string]config.Auth{"home": {}}, Targets: []config.Target{s.target}}, slog.New(slog.DiscardHandler))
		exporter := collector.New(collector.Options{Store: store, DialContext: network.DialContext})
		if err := store.Reload(); err != nil {
			t.Fatal(err)
		}
		device, err := tapo.New(tapo.Config{Address: "192.0.2.1", Credentials: credentials, DialContext: network.DialContext})
		if err != nil {
			t.Fatal(err)
		}
		defer device.Close()
		labels := maps.Clone(s.target.Labels)
		labels["job"], labels["instance"] = "tapo", s.target.Name
		var scraped, later bytes.Buffer
		for now := began; !now.After(s.ends); now = now.Add(scrapeEvery) {
			time.Sleep(time.Until(now))
			var page bytes.Buffer
			scrape(t, &page, exporter, "/probe?target=desk", labels, now)
			if now.Before(s.outage[0]) || now.After(s.outage[1]) {
				scraped.Write(page.Bytes())
			}
			if s.ends.Sub(now) <= afterwards {
				later.Write(page.Bytes())
			}
			switch s.ends.Sub(now) {
			case afterwards:
				s.outlets = readPlug(t, device)
			case afterwards - 15*time.Minute:
				s.readAgain = readPlug(t, device)
			}
		}
		fmt.Fprintln(&scraped, "# EOF")
		fmt.Fprintln(&later, "# EOF")
		s.scraped, s.later = scraped.Bytes(), later.Bytes()
		for interval, slots := range map[tapo.Interval]*[]tapo.EnergySlot{tapo.Daily: &s.days, tapo.Monthly: &s.months} {
			if *slots, err = device.EnergyHistory(t.Context(), 1, interval, plug.SetUp, s.ends); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Minute) // connections that nobody uses are closed
	})
	return s
}

// readPlug reads what the plug remembers.
func readPlug(t *testing.T, device *tapo.Device) []backfill.Outlet {
	t.Helper()
	now := time.Now()
	outlets, err := backfill.Read(t.Context(), device, backfill.Range{To: backfill.At(now.Add(-lookBack)), Finest: tapo.FiveMinutes, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return outlets
}

// file writes a file of samples.
func file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "samples.txt")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// openMetrics writes the samples of outlets.
func (s story) openMetrics(t *testing.T, outlets []backfill.Outlet) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := collector.WriteOpenMetrics(&b, "tapo", []*collector.Past{{Target: s.target, Outlets: outlets}}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// check asks a server for the increase over every day and month, which must be
// what the plug itself says, within a watt-hour.
func (s story) check(t *testing.T, server string) {
	t.Helper()
	const series = `tapo_energy_joules_total{job="tapo",instance="desk",outlet="1",room="office"}`
	eventually(t, 20*time.Second, func() string {
		if len(query(t, server, "vector(1)")) == 0 {
			return "Prometheus does not answer"
		}
		return ""
	})
	for what, slots := range map[string][]tapo.EnergySlot{"day": s.days, "month": s.months} {
		for i, slot := range slots {
			if i == 0 {
				continue // the plug was set up within
			}
			end := slot.End.Truncate(scrapeEvery) // that of the last scrape, if it is in progress
			got, ok := query(t, server, fmt.Sprintf("increase(%s[%ds] @ %d)", series, int(end.Sub(slot.Start).Seconds()), end.Unix()))["desk"]
			if want := slot.Joules; !ok || math.Abs(got-want) > 3600 {
				t.Errorf("the %s from %v to %v: %.1f Wh, the plug says %.1f", what, slot.Start.In(s.location), end.In(s.location), got/3600, want/3600)
			}
		}
	}
	resets := query(t, server, fmt.Sprintf("resets(%s[%ds] @ %d)", series, int(setUpFor.Seconds()), s.ends.Unix()))["desk"]
	if want := float64(len(s.months) - 1); resets != want {
		t.Errorf("%v resets, want %v", resets, want)
	}
	gaps := query(t, server, fmt.Sprintf(`count_over_time((absent_over_time(tapo_power_watts{instance="desk"}[6m]))[%ds:1m] @ %d) or vector(0)`, int((6*24*time.Hour).Seconds()), s.ends.Unix()))
	for _, minutes := range gaps {
		if minutes > (lookBack + time.Hour).Minutes() {
			t.Errorf("nothing is known of the power in %v minutes", minutes)
		}
	}
}

// TestBackfill brings what a plug remembers into Prometheus: where there was none
// before, and where it has been down. Graphs join without a seam, and doing it
// twice changes nothing.
func TestBackfill(t *testing.T) {
	for name, l := range lives {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tool(t, "promtool") // before ten days pass for nothing
			tool(t, "prometheus")
			s := l.live(t)
			full := s.openMetrics(t, s.outlets)
			t.Run("installed today", func(t *testing.T) {
				server := prometheus(t, "global: {}", file(t, full), file(t, s.openMetrics(t, s.readAgain)), file(t, full), file(t, s.later))
				s.check(t, server)
			})
			t.Run("was down", func(t *testing.T) {
				before := prometheus(t, "global: {}", file(t, s.scraped))
				eventually(t, 20*time.Second, func() string {
					if len(query(t, before, "vector(1)")) == 0 {
						return "Prometheus does not answer"
					}
					return ""
				})
				s.leaveOut(t, before)
				for _, sample := range s.outlets[0].Power {
					if sample.Time.After(s.ends.Add(-scrapedFor+time.Hour)) && (sample.Time.Before(s.outage[0]) || sample.Time.After(s.outage[1])) {
						t.Fatalf("%v is there", sample.Time)
					}
				}
				rest := file(t, s.openMetrics(t, s.outlets))
				after := prometheus(t, "global: {}", file(t, s.scraped), rest)
				s.check(t, after)
				if *update && name == "out of summer" {
					s.draw(t, before, after)
				}
				s.leaveOut(t, after)
				if left := len(s.outlets[0].Energy) + len(s.outlets[0].Power); left > 0 {
					t.Errorf("%d samples the second time", left)
				}
			})
		})
	}
}

// TestVictoriaMetrics does the same with VictoriaMetrics.
func TestVictoriaMetrics(t *testing.T) {
	t.Parallel()
	server := victoriaMetrics(t)
	s := lives["into summer"].live(t)
	s.importInto(t, server, s.scraped)
	s.leaveOut(t, server)
	for _, sample := range s.outlets[0].Energy {
		if sample.Time.After(s.ends.Add(-scrapedFor+time.Hour)) && (sample.Time.Before(s.outage[0]) || sample.Time.After(s.outage[1].Add(time.Second))) {
			t.Errorf("%v is there", sample.Time)
		}
	}
	hours := len(s.outlets[0].Energy)
	if least := int((outage - 2*time.Hour) / scrapeEvery); hours < least {
		t.Errorf("%d samples, want %d", hours, least)
	}
	s.importInto(t, server, s.openMetrics(t, s.outlets))
	s.check(t, server)
	s.leaveOut(t, server)
	if left := len(s.outlets[0].Energy) + len(s.outlets[0].Power); left > 0 {
		t.Errorf("%d samples the second time", left)
	}
}

// victoriaMetrics starts a server and returns its URL.
func victoriaMetrics(t *testing.T) string {
	t.Helper()
	address := freeAddress(t)
	command(t, nil, tool(t, "victoria-metrics"), "-storageDataPath="+t.TempDir(), "-httpListenAddr="+address, "-retentionPeriod=100y", "-search.latencyOffset=0s")
	eventually(t, 20*time.Second, func() string {
		if _, err := hometest.Get("http://" + address + "/health"); err != nil {
			return err.Error()
		}
		return ""
	})
	return "http://" + address
}

// importInto imports samples, and makes the server show them at once.
func (s story) importInto(t *testing.T, server string, samples []byte) {
	t.Helper()
	resp, err := http.Post(server+"/api/v1/import/prometheus", "text/plain", bytes.NewReader(samples))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatal(resp.Status)
	}
	for _, path := range []string{"/internal/force_flush", "/internal/resetRollupResultCache"} {
		if _, err := hometest.Get(server + path); err != nil {
			t.Fatal(err)
		}
	}
}

// leaveOut takes away what a server has.
func (s story) leaveOut(t *testing.T, server string) {
	t.Helper()
	at, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	if err := (backfill.Prometheus{URL: at, Names: collector.BackfillNames()}).RemoveOverlap(t.Context(), "tapo", "desk", s.outlets); err != nil {
		t.Fatal(err)
	}
}
