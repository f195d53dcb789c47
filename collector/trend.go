// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/collector/sessions"
)

// The size of the picture, which the page scales.
const trendWidth, trendHeight = 120, 24

// trendView is a trend as a picture.
type trendView struct {
	Path  string // of an SVG path element
	Label string // in words
}

// drawTrend returns nil where there is nothing to see yet. Power is drawn from
// zero.
func drawTrend(points []sessions.TrendPoint) *trendView {
	low, high, last := math.Inf(1), 0.0, 0.0
	read := 0
	for _, p := range points {
		if w := float64(p.Watts); !math.IsNaN(w) {
			low, high, last = min(low, w), max(high, w), w
			read++
		}
	}
	if read < 2 {
		return nil
	}
	begin, span := points[0].UnixMilli, points[len(points)-1].UnixMilli-points[0].UnixMilli
	var path strings.Builder
	command := 'M'
	for _, p := range points {
		w := float64(p.Watts)
		if math.IsNaN(w) {
			command = 'M'
			continue
		}
		x := trendWidth * float64(p.UnixMilli-begin) / float64(max(span, 1))
		y := trendHeight - 1 - (trendHeight-2)*w/max(high, 1)
		fmt.Fprintf(&path, "%c%.1f %.1f", command, x, y)
		if command == 'M' {
			path.WriteString("h0") // shows one reading between two gaps
		}
		command = 'L'
	}
	minutes := (time.Duration(span) * time.Millisecond).Round(time.Second)
	return &trendView{path.String(), fmt.Sprintf("%.1f to %.1f W in the last %v, the last %.1f", low, high, minutes, last)}
}
