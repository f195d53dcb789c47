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
	"strings"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

var update = flag.Bool("update", false, "write the tables of testdata/faults anew; look at the difference")

// kind is a generation of plugs, and the steps of its first read.
type kind struct {
	name  string
	model simulator.Model
	steps []string // as in simulator.Fault.Path; the last is the request that every read has
}

var kinds = []kind{
	{"klap", simulator.P110, []string{"discover", "/app/handshake1", "/app/handshake2", "/app/request"}},
	{"tpap", simulator.P110TPAP, []string{"discover", "pake_register", "pake_share", "/ds"}},
	{"passthrough", simulator.P110Passthrough, []string{"discover", "/app/handshake1", "handshake /app", "login_device /app", "request /app"}},
}

// TestFaults tries every fault at every step of every protocol, once and for
// good, in simulated time, and compares with the tables in testdata/faults. A
// cell has the outcome of the read, and how many requests the plug saw; a read
// is `in part` that had to leave the energies for the next one. Then
// the fault is gone and the next read, 15 seconds later, must succeed; where it
// may not even be tried yet the cell says `waits`, if it succeeds after a
// minute, or `final`, if only a change of the credentials mends it.
func TestFaults(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			var text bytes.Buffer
			table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
			fmt.Fprint(table, "at the step:")
			for _, step := range k.steps {
				fmt.Fprintf(table, "\t%s", step)
			}
			fmt.Fprint(table, "\tthe same, warm\n")
			for _, f := range simulator.Faults() {
				if !strings.Contains(f.Only, k.name) && f.Only != "" {
					continue
				}
				for _, times := range []int{1, 0} {
					fmt.Fprint(table, f.Name, map[int]string{0: ", for good", 1: ", once"}[times])
					for column := range len(k.steps) + 1 {
						f.Fault.Times, f.Fault.Path = times, k.steps[min(column, len(k.steps)-1)]
						synctest.Test(t, func(t *testing.T) {
							fmt.Fprintf(table, "\t%s", tryFault(t, k, f.Fault, column == len(k.steps)))
						})
					}
					fmt.Fprintln(table)
				}
			}
			_ = table.Flush()
			compare(t, k.name+".txt", text.Bytes())
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
func tryFault(t *testing.T, k kind, f simulator.Fault, warm bool) string {
	h := newHome(t, k.model)
	if warm {
		read(h, h.device)
		time.Sleep(15 * time.Second)
	}
	h.plug.Inject(f)
	before := h.plug.Stats()
	start := time.Now()
	r, err := h.read(h.device)
	cell := string(h.reasonOf(err))
	if err == nil && r.Outlets[0].Power == (tapo.Optional[float64]{}) {
		cell += ", in part,"
	}
	if took := time.Since(start); took > probeTime {
		h.Errorf("%s, %+v: the read took %v", k.name, f, took)
	}
	after := h.plug.Stats()
	n := after.Requests - before.Requests
	if n > 8 {
		h.Errorf("%s, %+v: %d requests", k.name, f, n)
	}
	if failed := (after.Steps["pake_share"] - before.Steps["pake_share"]) - (after.Logins - before.Logins); failed > 1 {
		h.Errorf("%s, %+v: %d times pake_share that came to nothing", k.name, f, failed)
	}
	cell = fmt.Sprintf("%s %d", cell, n)

	h.plug.Heal()
	time.Sleep(15 * time.Second)
	if h.reason(h.device) == ok {
		return cell
	}
	untouched := maps.Clone(h.plug.Stats().Steps)
	time.Sleep(15 * time.Second)
	next := h.reason(h.device)
	if now := h.plug.Stats().Steps; next != ok && !maps.Equal(now, untouched) {
		h.Errorf("%s, %+v: after it %s, which asks the plug: %v", k.name, f, next, now)
	}
	time.Sleep(30 * time.Second)
	if next = h.reason(h.device); next == ok {
		return cell + " waits"
	}
	if next != tapo.LoginBackoff {
		h.Errorf("%s, %+v: after it %s", k.name, f, next)
	}
	return cell + " final"
}
