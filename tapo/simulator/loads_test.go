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
