// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/collector/sessions"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

var trendPath = regexp.MustCompile(`<path d="([^"]*)"`)

// TestTrendHasGapsAndOutlivesReloads probes a plug through a failure and a change
// of its settings.
func TestTrendHasGapsAndOutlivesReloads(t *testing.T) {
	p := startPlug(t, &simulator.Plug{Load: simulator.Constant(60)})
	h := newHome(t, targetYAML(p))
	draw := func(reads int) string {
		t.Helper()
		for range reads {
			h.want(t, "/probe?target=a", 200)
			time.Sleep(5 * time.Millisecond)
		}
		m := trendPath.FindStringSubmatch(h.want(t, "/", 200))
		if m == nil {
			t.Fatal("no trend")
		}
		return m[1]
	}
	draw(2)
	p.Inject(simulator.Fault{Kind: simulator.Says, Text: "{"})
	draw(2)
	p.Heal()
	if path := draw(2); strings.Count(path, "M") != 2 || strings.Count(path, "L") != 2 {
		t.Errorf("a failure is no gap: %s", path)
	}
	if err := os.WriteFile(h.path, []byte(strings.Replace(targetYAML(p), "name: a", "verify_replies: false, name: a", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.store.Reload(); err != nil {
		t.Fatal(err)
	}
	if path := draw(1); strings.Count(path, "M")+strings.Count(path, "L") != 5 {
		t.Errorf("after a reload: %s", path)
	}
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
	sun := []sessions.TrendPoint{{UnixMilli: 0, Watts: 100}, {UnixMilli: 15_000, Watts: -300}, {UnixMilli: 30_000, Watts: 0}}
	want = &trendView{
		Path: "M0.0 1.0h0L60.0 23.0L120.0 6.5", Zero: "M0 6.5H120",
		Label: "-300.0 to 100.0 W in the last 30s, the last 0.0; negative power is fed in",
	}
	if diff := cmp.Diff(want, drawTrend(sun)); diff != "" {
		t.Errorf("at sunrise (-want +got)\n%s", diff)
	}
	noon := []sessions.TrendPoint{{UnixMilli: 0, Watts: -300}, {UnixMilli: 15_000, Watts: -200}}
	want = &trendView{
		Path: "M0.0 23.0h0L120.0 15.7", Zero: "M0 1.0H120",
		Label: "-300.0 to -200.0 W in the last 15s, the last -200.0; negative power is fed in",
	}
	if diff := cmp.Diff(want, drawTrend(noon)); diff != "" {
		t.Errorf("at noon (-want +got)\n%s", diff)
	}
	zero := []sessions.TrendPoint{{UnixMilli: 0}, {UnixMilli: 1000}}
	if got := drawTrend(zero); got == nil || got.Path != "M0.0 23.0h0L120.0 23.0" {
		t.Errorf("a plug that draws nothing: %+v", got)
	}
}
