// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
)

// beforeAndAfter is the picture of docs/backfill.md.
const beforeAndAfter = root + "/docs/images/backfill.svg"

const (
	pictureDays       = 14
	pictureWidth      = 860
	panelHeight       = 150
	panelTop, leftEnd = 58, 52
	rightEnd          = pictureWidth - 12
)

// draw draws the power that two servers know of, one below the other.
func (s story) draw(t *testing.T, before, after string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">
<title>The power of a plug in Prometheus, before and after a backfill</title>
<style>text{fill:#444}.g{stroke:#8884}.l{fill:none;stroke:#2563c9;stroke-width:1.3}@media(prefers-color-scheme:dark){text{fill:#ccc}.l{stroke:#7fb0ff}}</style>
`, pictureWidth, 2*(panelHeight+panelTop)+28)
	begin := s.ends.Add(-pictureDays * 24 * time.Hour).Truncate(time.Hour)
	for n, panel := range []struct{ title, server string }{
		{"Before: the exporter is ten days old, and Prometheus was down for a while", before},
		{"After: the plug itself remembered", after},
	} {
		top := panelTop + n*(panelHeight+panelTop)
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" font-size=\"15\">%s</text>\n", leftEnd, top-14, panel.title)
		drawPanel(t, &b, panel.server, begin, s.ends, top, s.location)
	}
	b.WriteString("</svg>\n")
	if err := os.WriteFile(beforeAndAfter, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func drawPanel(t *testing.T, b *strings.Builder, server string, begin, end time.Time, top int, loc *time.Location) {
	t.Helper()
	const most, step = 300.0, time.Hour // watts
	x := func(at time.Time) float64 {
		return leftEnd + float64(rightEnd-leftEnd)*at.Sub(begin).Hours()/end.Sub(begin).Hours()
	}
	y := func(watts float64) float64 { return float64(top) + panelHeight*(1-watts/most) }
	for watts := 0.0; watts <= most; watts += 100 {
		fmt.Fprintf(b, "<path class=\"g\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%v W</text>\n", leftEnd, y(watts), rightEnd, leftEnd-6, y(watts)+4, watts)
	}
	for at := begin.In(loc); at.Before(end); at = at.Add(step) {
		if at.Hour() == 0 && at.Day()%2 == 0 {
			fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x(at), top+panelHeight+18, at.Format("2 Jan"))
		}
	}
	last := time.Time{}
	var path strings.Builder
	for _, p := range powers(t, server, begin, end, step) {
		at := p.Timestamp.Time()
		verb := 'L'
		if at.Sub(last) > step {
			verb = 'M'
		}
		last = at
		fmt.Fprintf(&path, "%c%.1f %.1f", verb, x(at), y(float64(p.Value)))
	}
	fmt.Fprintf(b, "<path class=\"l\" d=\"%s\"/>\n", path.String())
}

// powers returns what a server knows of the power, averaged over every step.
func powers(t *testing.T, server string, begin, end time.Time, step time.Duration) []model.SamplePair {
	t.Helper()
	form := url.Values{
		"query": {fmt.Sprintf("avg_over_time(tapo_power_watts[%ds])", int(step.Seconds()))},
		"start": {begin.UTC().Format(time.RFC3339)}, "end": {end.UTC().Format(time.RFC3339)}, "step": {step.String()},
	}
	resp, err := hometest.Get(server + "/api/v1/query_range?" + form.Encode())
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Data struct {
			Result model.Matrix `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(resp), &answer); err != nil || len(answer.Data.Result) != 1 {
		t.Fatalf("%v: %s", err, resp)
	}
	return answer.Data.Result[0].Values
}

// TestBackfillPicture wants the picture to be there, and to be shown.
func TestBackfillPicture(t *testing.T) {
	text, err := os.ReadFile(root + "/docs/backfill.md")
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := os.ReadFile(beforeAndAfter)
	if err != nil || !strings.Contains(string(drawn), "After: ") || strings.Count(string(drawn), `class="l"`) != 2 || !strings.Contains(string(text), "images/backfill.svg") {
		t.Errorf("no picture: %v", err)
	}
}
