// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/internal/backfill"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
)

// BackfillNames returns the names of the series that WriteOpenMetrics writes.
func BackfillNames() backfill.Names {
	return backfill.Names{Energy: energyTotal.name, Power: powerWatts.name, Outlet: outletLabel}
}

// Past is what a target's plug remembers.
type Past struct {
	Target  config.Target
	Outlets []backfill.Outlet
}

// WriteOpenMetrics writes what plugs remember as OpenMetrics. The series are those
// that Prometheus makes of what it scrapes from /probe for the targets of /sd.
func WriteOpenMetrics(w io.Writer, job string, past []*Past) error {
	out := bufio.NewWriter(w)
	for _, family := range []struct {
		*metric
		samples func(backfill.Outlet) []backfill.Sample
	}{
		{energyTotal, func(o backfill.Outlet) []backfill.Sample { return o.Energy }},
		{powerWatts, func(o backfill.Outlet) []backfill.Sample { return o.Power }},
	} {
		name := strings.TrimSuffix(family.name, "_total")
		unit := name[strings.LastIndex(name, "_")+1:]
		fmt.Fprintf(out, "# TYPE %s %s\n# UNIT %s %s\n# HELP %s %s\n", name, strings.ToLower(family.kind.ToDTO().String()), name, unit, name, escape(family.help))
		for _, p := range past {
			for _, o := range p.Outlets {
				series := family.name + pastLabels(p.Target, job, o.Number)
				for _, s := range family.samples(o) {
					line := append(out.AvailableBuffer(), series...)
					line = strconv.AppendFloat(append(line, ' '), s.Value, 'f', -1, 64)
					line = strconv.AppendInt(append(line, ' '), s.Time.Unix(), 10)
					_, _ = out.Write(append(line, '\n')) // Flush returns the error
				}
			}
		}
	}
	fmt.Fprintln(out, "# EOF")
	return out.Flush()
}

// pastLabels writes the labels of a series in the order of their names. Like
// Prometheus, it takes none that is empty, and the job of the target if it has one.
func pastLabels(t config.Target, job string, outlet int) string {
	labels := storedLabels(t)
	labels["job"], labels[outletLabel] = cmp.Or(labels["job"], job), strconv.Itoa(outlet)
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if labels[name] != "" {
			pairs = append(pairs, name+`="`+escape(labels[name])+`"`)
		}
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

var escaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func escape(s string) string { return escaper.Replace(s) }
