// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
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
// minute, or `final`, if only a change of the credentials mends it. Until then a plug is
// asked one question at most: which plug it is, or what led to the failure.
func TestFaults(t *testing.T) {
	tapo.SharePassthroughKey(t)
	for _, g := range plugtest.Generations {
		t.Run(g.Name, func(t *testing.T) {
			t.Parallel()
			var rows []*faultRow
			t.Run("tried", func(t *testing.T) { // which ends when all rows are filled
				for _, f := range simulator.Faults() {
					if !strings.Contains(f.Only, g.Name) && f.Only != "" {
						continue
					}
					once := &faultRow{name: f.Name + ", once", fault: f.Fault, times: 1}
					always := &faultRow{name: f.Name + ", for good", fault: f.Fault}
					for _, row := range []*faultRow{once, always} {
						rows = append(rows, row)
						t.Run(row.name, func(t *testing.T) {
							t.Parallel()
							row.fill(t, g)
						})
					}
				}
			})
			compare(t, g.Name+".txt", faultTable(g, rows))
		})
	}
}

// faultRow is a fault that is tried at each step of a protocol.
type faultRow struct {
	name  string
	fault simulator.Fault
	times int // 0 for good
	cells []string
}

func (r *faultRow) fill(t *testing.T, g plugtest.Generation) {
	for column := range len(g.Steps) + 1 {
		f := r.fault
		f.Times, f.Path = r.times, g.Steps[min(column, len(g.Steps)-1)]
		synctest.Test(t, func(t *testing.T) {
			r.cells = append(r.cells, tryFault(t, g, f, column == len(g.Steps)))
		})
	}
}

// faultTable returns the text of a file of testdata/faults.
func faultTable(g plugtest.Generation, rows []*faultRow) []byte {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "at the step:\t%s\tthe same, warm\n", strings.Join(g.Steps, "\t"))
	for _, row := range rows {
		fmt.Fprintf(table, "%s\t%s\n", row.name, strings.Join(row.cells, "\t"))
	}
	_ = table.Flush()
	return text.Bytes()
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
func tryFault(t *testing.T, g plugtest.Generation, f simulator.Fault, warm bool) string {
	h := plugtest.NewHome(t, g.Model)
	if warm {
		plugtest.Read(h, h.Device)
		time.Sleep(15 * time.Second)
	}
	h.Plug.Inject(f)
	before := h.Plug.Stats()
	start := time.Now()
	cell := outcome(h)
	if took := time.Since(start); took > plugtest.ProbeTime {
		h.Errorf("%s, %+v: the read took %v", g.Name, f, took)
	}
	after := h.Plug.Stats()
	n := after.Requests - before.Requests
	if n > 8 {
		h.Errorf("%s, %+v: %d requests", g.Name, f, n)
	}
	if failed := (after.Steps["pake_share"] - before.Steps["pake_share"]) - (after.Logins - before.Logins); failed > 1 {
		h.Errorf("%s, %+v: %d times pake_share that came to nothing", g.Name, f, failed)
	}
	cell = fmt.Sprintf("%s %d", cell, n)

	h.Plug.Heal()
	time.Sleep(15 * time.Second)
	if h.Reason(h.Device) == plugtest.OK {
		return cell
	}
	asked := h.Plug.Stats().Requests
	time.Sleep(15 * time.Second)
	next := h.Reason(h.Device)
	if n := h.Plug.Stats().Requests - asked; next != plugtest.OK && n > 1 {
		h.Errorf("%s, %+v: after it %s, which asks the plug %d times", g.Name, f, next, n)
	}
	time.Sleep(30 * time.Second)
	if next = h.Reason(h.Device); next == plugtest.OK {
		return cell + " waits"
	}
	if next != tapo.LoginBackoff {
		h.Errorf("%s, %+v: after it %s", g.Name, f, next)
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
	tapo.SharePassthroughKey(t)
	for _, g := range plugtest.Generations {
		t.Run(g.Name, func(t *testing.T) {
			t.Parallel()
			cells := readTable(t, g.Name+".txt")
			var tried atomic.Int32
			t.Run("tried", func(t *testing.T) {
				for _, f := range simulator.Faults() {
					if f.Fault.Kind == simulator.Hang || f.Fault.Kind == simulator.Slow {
						continue
					}
					t.Run(f.Name, func(t *testing.T) {
						t.Parallel()
						for column, want := range cells[f.Name+", once"] {
							fault := f.Fault
							fault.Times, fault.Path = 1, g.Steps[min(column, len(g.Steps)-1)]
							if got := tryOverTCP(t, g, fault, column == len(g.Steps)); got != want {
								t.Errorf("at %s: %s, want %s", fault.Path, got, want)
							}
							tried.Add(1)
						}
					})
				}
			})
			if n := tried.Load(); n < 150 {
				t.Errorf("%d cells tried", n)
			}
		})
	}
}

// tryOverTCP returns the text of a cell without what comes after the read.
func tryOverTCP(t *testing.T, g plugtest.Generation, f simulator.Fault, warm bool) string {
	t.Helper()
	p := plugtest.Start(t, &simulator.Plug{Model: g.Model, TPAP: simulator.TPAPOptions{Iterations: 10}, Load: simulator.Constant(60)})
	defer p.Close()
	h := &plugtest.Home{T: t, Plug: p, Device: plugtest.Device(t, p)}
	defer h.Device.Close()
	if warm {
		plugtest.Read(h, h.Device)
		time.Sleep(time.Millisecond)
	}
	p.Inject(f)
	var cell string
	n := plugtest.Requests(p, func() { cell = outcome(h) })
	return fmt.Sprintf("%s %d", cell, n)
}

// outcome reads, and returns how that ended.
func outcome(h *plugtest.Home) string {
	h.Helper()
	r, err := h.Read(h.Device)
	cell := string(plugtest.ReasonOf(h, err))
	if err == nil && r.Outlets[0].Power == (tapo.Optional[float64]{}) {
		cell += ", in part,"
	}
	return cell
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
