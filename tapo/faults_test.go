// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

var update = flag.Bool("update", false, "write the tables of testdata/faults anew; look at the difference")

// TestFaults tries every fault at every step of every protocol, once and for
// good, in simulated time, and compares with the tables in testdata/faults. A
// cell has the outcome of the read, and how many requests the plug saw; a read
// is `in part` that had to leave the energies for the next one. Then
// the fault is gone and the next read, 15 seconds later, must succeed; where it
// may not even be tried yet the cell says `waits`, if it succeeds after a
// minute, or `final`, if only a change of the credentials mends it.
func TestFaults(t *testing.T) {
	for _, k := range plugtest.Generations {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			var text bytes.Buffer
			table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
			fmt.Fprint(table, "at the step:")
			for _, step := range k.Steps {
				fmt.Fprintf(table, "\t%s", step)
			}
			fmt.Fprint(table, "\tthe same, warm\n")
			for _, f := range simulator.Faults() {
				if !strings.Contains(f.Only, k.Name) && f.Only != "" {
					continue
				}
				for _, times := range []int{1, 0} {
					fmt.Fprint(table, f.Name, map[int]string{0: ", for good", 1: ", once"}[times])
					for column := range len(k.Steps) + 1 {
						f.Fault.Times, f.Fault.Path = times, k.Steps[min(column, len(k.Steps)-1)]
						synctest.Test(t, func(t *testing.T) {
							fmt.Fprintf(table, "\t%s", tryFault(t, k, f.Fault, column == len(k.Steps)))
						})
					}
					fmt.Fprintln(table)
				}
			}
			_ = table.Flush()
			compare(t, k.Name+".txt", text.Bytes())
		})
	}
}

// compare compares with a file of testdata/faults.
func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "faults", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// tryFault returns the text of a cell.
func tryFault(t *testing.T, k plugtest.Generation, f simulator.Fault, warm bool) string {
	h := plugtest.NewHome(t, k.Model)
	if warm {
		plugtest.Read(h, h.Device)
		time.Sleep(15 * time.Second)
	}
	h.Plug.Inject(f)
	before := h.Plug.Stats()
	start := time.Now()
	r, err := h.Read(h.Device)
	cell := string(plugtest.ReasonOf(h, err))
	if err == nil && r.Outlets[0].Power == (tapo.Optional[float64]{}) {
		cell += ", in part,"
	}
	if took := time.Since(start); took > plugtest.ProbeTime {
		h.Errorf("%s, %+v: the read took %v", k.Name, f, took)
	}
	after := h.Plug.Stats()
	n := after.Requests - before.Requests
	if n > 8 {
		h.Errorf("%s, %+v: %d requests", k.Name, f, n)
	}
	if failed := (after.Steps["pake_share"] - before.Steps["pake_share"]) - (after.Logins - before.Logins); failed > 1 {
		h.Errorf("%s, %+v: %d times pake_share that came to nothing", k.Name, f, failed)
	}
	cell = fmt.Sprintf("%s %d", cell, n)

	h.Plug.Heal()
	time.Sleep(15 * time.Second)
	if h.Reason(h.Device) == plugtest.OK {
		return cell
	}
	untouched := maps.Clone(h.Plug.Stats().Steps)
	time.Sleep(15 * time.Second)
	next := h.Reason(h.Device)
	if now := h.Plug.Stats().Steps; next != plugtest.OK && !maps.Equal(now, untouched) {
		h.Errorf("%s, %+v: after it %s, which asks the plug: %v", k.Name, f, next, now)
	}
	time.Sleep(30 * time.Second)
	if next = h.Reason(h.Device); next == plugtest.OK {
		return cell + " waits"
	}
	if next != tapo.LoginBackoff {
		h.Errorf("%s, %+v: after it %s", k.Name, f, next)
	}
	return cell + " final"
}

// TestStripFaults: whatever goes wrong with one of a strip's requests is mended
// in the same read, within the bound for its outlets.
func TestStripFaults(t *testing.T) {
	for _, kind := range []simulator.FaultKind{simulator.LoseSession, simulator.Reset, simulator.BadSignature, simulator.CloseAfterReply, simulator.Hang} {
		for skip := range 5 {
			synctest.Test(t, func(t *testing.T) {
				h := plugtest.NewHome(t, simulator.P304M)
				h.Plug.Inject(simulator.Fault{Kind: kind, Path: "/app/request", Skip: skip, Times: 1})
				r, err := h.Read(h.Device)
				if err != nil || len(r.Outlets) != 4 {
					t.Errorf("fault %d at request %d: %v", kind, skip, err)
				}
				for i, o := range r.Outlets {
					if _, has := o.Power.Get(); !has {
						t.Errorf("fault %d at request %d: outlet %d has no power", kind, skip, i+1)
					}
				}
				if took := h.Plug.Stats().Requests; took > 8+2+2*4 {
					t.Errorf("fault %d at request %d: %d requests", kind, skip, took)
				}
			})
		}
	}
}

// TestFaultsOverTCP compares the tables of TestFaults with what happens over real
// connections, which end in other ways. Faults that take time are left out.
func TestFaultsOverTCP(t *testing.T) {
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
