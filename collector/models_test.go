// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestModelsDocumentation: the table in docs/models.md is what reading each
// simulated model gives. -update writes it.
func TestModelsDocumentation(t *testing.T) {
	var table strings.Builder
	table.WriteString("| Model | Firmware | Protocol | Sockets | Requests per read | Metrics |\n|---|---|---|---|---|---|\n")
	var sets []string
	for _, m := range simulator.Models() {
		reading, requests := readCounting(t, m)
		var names []string
		families, err := gathererOf(t, plugCollector{reading: reading}).Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			names = append(names, "`"+family.GetName()+"`")
		}
		set := strings.Join(names, ", ")
		n := slices.Index(sets, set)
		if n < 0 {
			n, sets = len(sets), append(sets, set)
		}
		version, _, _ := strings.Cut(m.Firmware, " ")
		fmt.Fprintf(&table, "| %s | %s | %s | %d | %d | %c |\n", m.Name, version, m.Protocol, len(reading.Outlets), requests, 'A'+n)
	}
	table.WriteString("\n| | Metrics |\n|---|---|\n")
	for n, set := range sets {
		fmt.Fprintf(&table, "| %c | %s |\n", 'A'+n, set)
	}
	compareMadeTable(t, "../docs/models.md", "TestModelsDocumentation", table.String())
}

// compareMadeTable compares a table with the one in a document, between a comment with the
// test's name and the next end. -update writes it.
func compareMadeTable(t *testing.T, path, test, table string) {
	t.Helper()
	begin, end := "<!-- made by "+test+" -->\n", "<!-- end -->\n"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(data), begin)
	documented, after, found := strings.Cut(rest, end)
	if !found {
		t.Fatalf("%s has no %s", path, begin)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+table+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(documented, table); diff != "" {
		t.Errorf("%s is not what the test reads (-documented +read)\n%s", path, diff)
	}
}
