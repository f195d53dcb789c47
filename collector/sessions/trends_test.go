// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package sessions

import (
	"math"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

func TestTrends(t *testing.T) {
	trends := Trends{}
	begin := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	read := func(second int, watts float64) {
		trends.add(tapo.Reading{Time: begin.Add(time.Duration(second) * time.Second), Outlets: []tapo.Outlet{
			{Number: 1, Power: tapo.Some(watts)}, {Number: 2},
		}})
	}
	read(0, 10)
	read(15, 110)
	for range 3 {
		trends.interrupt(begin.Add(30 * time.Second))
	}
	read(45, 0)
	if points := trends[1]; len(points) != 4 || points[1].Watts != 110 || !math.IsNaN(float64(points[2].Watts)) || points[3].UnixMilli != begin.UnixMilli()+45_000 {
		t.Errorf("with a gap: %v", points)
	}
	read(-3600, 5)
	if points := trends[1]; len(points) != 1 || points[0].Watts != 5 {
		t.Errorf("after the clock was set back: %v", points)
	}
	if len(trends[2]) > 0 {
		t.Error("a trend of what was not given")
	}
	for second := range 200 {
		read(100+second, float64(second))
	}
	if points := trends[1]; len(points) != trendLength || points[0].Watts != 140 || points[trendLength-1].Watts != 199 {
		t.Errorf("%d points from %v", len(points), points[0])
	}
}
