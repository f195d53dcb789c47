// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// clockDetail says how wrong a clock is.
func clockDetail(offset time.Duration) string {
	direction := "fast"
	if offset < 0 {
		direction = "slow"
	}
	if days := int(offset.Abs().Hours() / 24); days > 1 {
		return fmt.Sprintf("%d days %s", days, direction)
	}
	return fmt.Sprintf("%v %s", offset.Abs().Round(time.Second), direction)
}

// protocolDetail names the protocol, also of a read that has failed after the
// plug had announced it.
func protocolDetail(reading tapo.Reading, failed *tapo.Error, t *trace) string {
	if failed == nil {
		return string(reading.Protocol)
	}
	if t.protocol != "" {
		return string(t.protocol)
	}
	return string(failed.Protocol)
}

// componentsDetail says what a plug can do, by its component list.
func componentsDetail(all map[string]int, outlets int) string {
	can := []string{}
	if outlets > 1 {
		can = append(can, "several sockets")
	}
	for id, what := range map[string]string{"energy_monitoring": "energy monitoring", "power_protection": "power protection"} {
		if all[id] > 0 {
			can = append(can, what)
		}
	}
	slices.Sort(can)
	if all["energy_monitoring"] == 0 && outlets <= 1 {
		can = append(can, "no energy monitoring")
	}
	return fmt.Sprintf("%d listed, with %s", len(all), strings.Join(can, ", "))
}

// readDetail says what was read.
func readDetail(r tapo.Reading, requests int) string {
	var parts []string
	if name := strings.TrimSpace(r.Info.Model + " " + r.Info.Firmware); name != "" {
		parts = append(parts, name)
	}
	switch len(r.Outlets) {
	case 0:
	case 1:
		o := r.Outlets[0]
		if on, known := o.On.Get(); known {
			parts = append(parts, map[bool]string{true: "on", false: "off"}[on])
		}
		if watts, known := o.Power.Get(); known {
			parts = append(parts, fmt.Sprintf("%.1f W", watts))
		}
	default:
		parts = append(parts, fmt.Sprintf("%d sockets", len(r.Outlets)))
	}
	return strings.Join(append(parts, fmt.Sprintf("%d requests", requests)), ", ")
}
