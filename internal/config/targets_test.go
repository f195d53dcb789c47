// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"testing"
)

func TestTargetLookUp(t *testing.T) {
	c := &Config{Targets: []Target{
		{Name: "fridge", Address: "192.168.1.20"},
		{Name: "192.168.1.20", Address: "Plug.lan:8080"}, // a name comes before an address
		{Name: "tv", Address: "192.168.1.20"},
		{Name: "fridge", Address: "192.168.1.22"},
		{Name: "desk", MAC: "AA-BB-CC-00-11-22"},
		{Name: "bad", Address: "http://192.168.1.23"},
		{Name: "lamp", MAC: "AA-BB-CC-00-11-22"},
	}}
	for _, tc := range []struct {
		lookUp func(string) (Target, bool)
		key    string
		want   int // -1 for none
	}{
		{c.Target, "fridge", 0},
		{c.Target, "192.168.1.20", 1},
		{c.Target, "192.168.1.20:80", 0},
		{c.Target, "plug.lan:8080", 1},
		{c.Target, "plug.lan", -1},
		{c.Target, "192.168.1.22", 3},
		{c.Target, "bad", 5},
		{c.Target, "AA-BB-CC-00-11-22", -1},
		{c.Target, "", -1},
		{c.TargetAt, "192.168.1.20", 0},
		{c.TargetAt, "::ffff:192.168.1.20", 0},
		{c.TargetAt, "fridge", -1},
		{c.TargetAt, "http://192.168.1.23", -1},
		{c.TargetOf, "AA-BB-CC-00-11-22", 4},
		{c.TargetOf, "AA-BB-CC-00-11-23", -1},
		{c.TargetOf, "", -1},
	} {
		want := Target{}
		if tc.want >= 0 {
			want = c.Targets[tc.want]
		}
		got, ok := tc.lookUp(tc.key)
		if ok != (tc.want >= 0) || got.Name != want.Name || got.Address != want.Address || got.MAC != want.MAC {
			t.Errorf("%q: %+v, %t", tc.key, got, ok)
		}
	}
}

func TestTargetsWithMAC(t *testing.T) {
	c := &Config{Targets: []Target{{Name: "a", MAC: "AA-BB-CC-00-11-22"}, {Name: "b", Address: "192.168.1.20"}, {Name: "c", MAC: "AA-BB-CC-00-11-22"}}}
	var names []string
	for target := range c.WithMAC() {
		names = append(names, target.Name)
	}
	if !slices.Equal(names, []string{"a", "c"}) || !c.Searches() {
		t.Errorf("%v", names)
	}
}

// BenchmarkTarget looks the last target up, by its name and by its address.
func BenchmarkTarget(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		c := &Config{}
		for i := range n {
			c.Targets = append(c.Targets, Target{Name: fmt.Sprintf("plug-%d", i), Address: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&0xff, i&0xff)})
		}
		last := c.Targets[n-1]
		for _, by := range []struct{ what, key string }{{"name", last.Name}, {"address", last.Address}} {
			b.Run(fmt.Sprintf("%d/%s", n, by.what), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, ok := c.Target(by.key); !ok {
						b.Fatal("not found")
					}
				}
			})
		}
	}
}
