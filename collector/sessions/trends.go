// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"math"
	"slices"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// trendLength is how many readings a trend keeps: a quarter of an hour at one
// every 15 seconds.
const trendLength = 60

// Trends is the power of the last readings, by the outlet's number.
type Trends map[int][]TrendPoint

// TrendPoint is the power at one moment; NaN is a gap.
type TrendPoint struct {
	UnixMilli int64
	Watts     float32
}

// add appends the power of a reading.
func (t Trends) add(r tapo.Reading) {
	for _, o := range r.Outlets {
		if watts, known := o.Power.Get(); known {
			t.append(o.Number, TrendPoint{r.Time.UnixMilli(), float32(watts)})
		}
	}
}

// interrupt appends a gap: the plug could not be read.
func (t Trends) interrupt(at time.Time) {
	for number, points := range t {
		if !math.IsNaN(float64(points[len(points)-1].Watts)) {
			t.append(number, TrendPoint{at.UnixMilli(), float32(math.NaN())})
		}
	}
}

func (t Trends) append(number int, p TrendPoint) {
	points := t[number]
	if n := len(points); n > 0 && points[n-1].UnixMilli > p.UnixMilli {
		points = points[:0] // the clock has been set back
	}
	if len(points) == trendLength {
		copy(points, points[1:])
		points = points[:trendLength-1]
	}
	t[number] = append(points, p)
}

func (t Trends) clone() Trends {
	all := Trends{}
	for number, points := range t {
		all[number] = slices.Clone(points)
	}
	return all
}
