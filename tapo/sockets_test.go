// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestFaultsOnSockets compares the tables of TestFaults with what happens on
// real sockets, where connections end in other ways; rows that take time apart.
func TestFaultsOnSockets(t *testing.T) {
	for _, k := range plugtest.Generations {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			cells := readTable(t, k.Name+".txt")
			tried := 0
			for _, f := range simulator.Faults() {
				if f.Fault.Kind == simulator.Hang || f.Fault.Kind == simulator.Slow {
					continue
				}
				for column, want := range cells[f.Name+", once"] {
					f.Fault.Times, f.Fault.Path = 1, k.Steps[min(column, len(k.Steps)-1)]
					p := plugtest.Start(t, &simulator.Plug{Model: k.Model, TPAP: simulator.TPAPOptions{Iterations: 10}, Load: simulator.Constant(60)})
					h := &plugtest.Home{T: t, Plug: p, Device: plugtest.Device(t, p)}
					if column == len(k.Steps) {
						plugtest.Read(h, h.Device)
						time.Sleep(time.Millisecond)
					}
					p.Inject(f.Fault)
					var reason tapo.Reason
					n := plugtest.Requests(p, func() { reason = h.Reason(h.Device) })
					if got := fmt.Sprintf("%s %d", reason, n); got != want {
						t.Errorf("%s at %s: %s, want %s", f.Name, f.Fault.Path, got, want)
					}
					h.Device.Close()
					p.Close()
					tried++
				}
			}
			if tried < 150 {
				t.Errorf("%d cells tried", tried)
			}
		})
	}
}

// readTable returns the cells by row, without what they say of later reads.
func readTable(t *testing.T, name string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "faults", name))
	if err != nil {
		t.Fatal(err)
	}
	cells := map[string][]string{}
	gap := regexp.MustCompile(` {2,}`)
	for line := range strings.Lines(string(text)) {
		row := gap.Split(strings.TrimSpace(line), -1)
		for _, cell := range row[1:] {
			cells[row[0]] = append(cells[row[0]], strings.TrimSuffix(strings.TrimSuffix(cell, " waits"), " final"))
		}
	}
	return cells
}
