// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"testing"
	"time"
)

func TestLoadsAreAlive(t *testing.T) {
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for name, load := range map[string]Load{"kettle": Kettle(), "fridge": Fridge(), "TV": TV(), "washing machine": WashingMachine(), "computer": Computer()} {
		lowest, highest := 1e9, 0.0
		for s := range 4 * 3600 {
			w := load.Watts(at.Add(time.Duration(s) * time.Second))
			lowest, highest = min(lowest, w), max(highest, w)
			if w != load.Watts(at.Add(time.Duration(s)*time.Second)) {
				t.Fatalf("%s: two values for one moment", name)
			}
		}
		if lowest < 0 || highest > 3000 || highest < 1.5*lowest+10 {
			t.Errorf("%s: from %v to %v", name, lowest, highest)
		}
	}
}

// TestBalcony: it feeds in by day only, and the same at the same time.
func TestBalcony(t *testing.T) {
	for _, midnight := range []time.Time{time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)} {
		feeding := 0
		for minute := range 24 * 60 {
			at := midnight.Add(time.Duration(minute) * time.Minute)
			w := Balcony().Watts(at)
			if w != Balcony().Watts(at.In(time.FixedZone("", 3600))) || w < -800 || w > 300 {
				t.Fatalf("%v: %v W", at, w)
			}
			if hour := at.Hour(); w < 0 {
				feeding++
				if hour < 6 || hour >= 18 {
					t.Errorf("%v: %v W", at, w)
				}
			} else if hour >= 8 && hour < 16 {
				t.Errorf("%v: %v W", at, w)
			}
		}
		if feeding < 8*60 || feeding > 12*60 {
			t.Errorf("it feeds in for %d minutes", feeding)
		}
	}
}
