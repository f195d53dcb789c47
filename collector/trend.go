// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// trendLength is how many readings a trend keeps: a quarter of an hour at one
// every 15 seconds.
const trendLength = 60

// trends is the power of the last readings, by the socket's number.
type trends map[int][]trendPoint

// trendPoint is the power at one moment; NaN is a gap.
type trendPoint struct {
	at    int64 // milliseconds since 1970
	watts float32
}

// add appends what was read.
func (t trends) add(r tapo.Reading) {
	for _, o := range r.Outlets {
		if watts, known := o.Power.Get(); known {
			t.append(o.Number, trendPoint{r.Time.UnixMilli(), float32(watts)})
		}
	}
}

// interrupt appends a gap: the plug could not be read.
func (t trends) interrupt(at time.Time) {
	for number, points := range t {
		if !math.IsNaN(float64(points[len(points)-1].watts)) {
			t.append(number, trendPoint{at.UnixMilli(), float32(math.NaN())})
		}
	}
}

func (t trends) append(number int, p trendPoint) {
	points := t[number]
	if n := len(points); n > 0 && points[n-1].at > p.at {
		points = points[:0] // the clock has been set back
	}
	if len(points) == trendLength {
		copy(points, points[1:])
		points = points[:trendLength-1]
	}
	t[number] = append(points, p)
}

// The size of the picture, which the page scales.
const trendWidth, trendHeight = 120, 24

// trendView is a trend as a picture.
type trendView struct {
	Path  string // of an SVG path element
	Label string // in words
}

// drawTrend returns nil where there is nothing to see yet. Power is drawn from
// zero.
func drawTrend(points []trendPoint) *trendView {
	low, high, last := math.Inf(1), 0.0, 0.0
	read := 0
	for _, p := range points {
		if w := float64(p.watts); !math.IsNaN(w) {
			low, high, last = min(low, w), max(high, w), w
			read++
		}
	}
	if read < 2 {
		return nil
	}
	begin, span := points[0].at, points[len(points)-1].at-points[0].at
	var path strings.Builder
	command := 'M'
	for _, p := range points {
		w := float64(p.watts)
		if math.IsNaN(w) {
			command = 'M'
			continue
		}
		x := trendWidth * float64(p.at-begin) / float64(max(span, 1))
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
