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
	Zero  string // the path of a line at zero, if power was fed back; else empty
	Label string // in words
}

// drawTrend returns nil where there is nothing to see yet. The picture always contains
// zero, at its lower edge unless power was fed back.
func drawTrend(points []sessions.TrendPoint) *trendView {
	low, high, last := math.Inf(1), math.Inf(-1), 0.0
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
	bottom, top := min(low, 0), max(high, 0)
	height := func(w float64) float64 { return trendHeight - 1 - (trendHeight-2)*(w-bottom)/max(top-bottom, 1) }
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
		fmt.Fprintf(&path, "%c%.1f %.1f", command, x, height(w))
		if command == 'M' {
			path.WriteString("h0") // shows one reading between two gaps
		}
		command = 'L'
	}
	minutes := (time.Duration(span) * time.Millisecond).Round(time.Second)
	view := &trendView{Path: path.String(), Label: fmt.Sprintf("%.1f to %.1f W in the last %v, the last %.1f", low, high, minutes, last)}
	if low < 0 {
		view.Zero = fmt.Sprintf("M0 %.1fH%d", height(0), trendWidth)
		view.Label += "; negative power is fed in"
	}
	return view
}
