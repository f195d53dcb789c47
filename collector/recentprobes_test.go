// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

func TestFailuresOutliveSuccesses(t *testing.T) {
	r := newRecentProbes(3)
	failed := &tapo.Error{Reason: tapo.Timeout}
	for id := 1; id <= 20; id++ {
		p := Probe{Target: fmt.Sprint(id)}
		if id%4 == 0 {
			p.Err = failed
		}
		r.add(p)
	}
	var kept []uint64
	for _, p := range r.newestFirst() {
		kept = append(kept, p.ID)
		if found, ok := r.find(p.ID); !ok || found.Target != fmt.Sprint(p.ID) {
			t.Errorf("%d: %+v", p.ID, found)
		}
	}
	if want := []uint64{20, 19, 18, 16, 12, 8}; !slices.Equal(kept, want) {
		t.Errorf("%v, want %v", kept, want)
	}
}

func TestRecentProbesAreSafeForConcurrentUse(t *testing.T) {
	r := newRecentProbes(5)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				r.add(Probe{Target: "x", Took: time.Second})
				r.newestFirst()
				r.find(3)
			}
		})
	}
	group.Wait()
	recent := r.newestFirst()
	if len(recent) != 5 || recent[0].ID != 200 || recent[4].ID != 196 {
		t.Errorf("%+v", recent)
	}
}
