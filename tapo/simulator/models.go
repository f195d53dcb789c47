// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/passthrough"
)

// Protocol is what a firmware speaks.
type Protocol int

// The protocols.
const (
	KLAP Protocol = iota
	Passthrough
	TPAP
)

// Model is a kind of plug with a certain firmware, as recorded from real ones.
type Model struct {
	Name     string // P110
	Region   string // EU; "" on the oldest
	Hardware string
	Firmware string
	Protocol Protocol
	// LoginVersion is what a Passthrough plug understands.
	LoginVersion passthrough.LoginVersion
	// Compatibility marks firmware 1.4 or later that speaks KLAP because its
	// owner switched Third-Party Compatibility on.
	Compatibility bool
	// Components are what component_nego lists.
	Components []Component
	// Emeter tells whether get_emeter_data is known.
	Emeter bool
	// NoBatch marks firmware that answers multipleRequest with -1003.
	NoBatch bool
	// Closes marks firmware that closes the connection after every reply,
	// unannounced.
	Closes bool
}

// Component is an entry of component_nego.
type Component struct {
	ID      string `json:"id"`
	Version int    `json:"ver_code"`
}

// The lists of components, as recorded: of plugs of the last years, of a P100
// of 2023, and of the first firmware.
var (
	base = components("device:2 firmware:2 quick_setup:3 inherit:1 time:1 wireless:1 schedule:2 countdown:2 antitheft:1 account:1 " +
		"synchronize:1 sunrise_sunset:1 led:1 cloud_connect:1 iot_cloud:1 device_local_time:1 default_states:1")
	older = components("device:2 firmware:1 quick_setup:3 inherit:1 time:1 wireless:1 schedule:2 countdown:2 antitheft:1 account:1 " +
		"synchronize:1 sunrise_sunset:1 led:1 cloud_connect:1 iot_cloud:1 default_states:1")
	first = components("device:1 firmware:1 quick_setup:1 time:1 wireless:1 schedule:1 countdown:1 antitheft:1 account:1 " +
		"synchronize:1 sunrise_sunset:1 led:1 cloud_connect:1")
)

// components parses a list as the documents write it.
func components(list string) []Component {
	var all []Component
	for entry := range strings.FieldsSeq(list) {
		id, version, _ := strings.Cut(entry, ":")
		n, err := strconv.Atoi(version)
		if err != nil {
			panic(err) // a slip in this file
		}
		all = append(all, Component{id, n})
	}
	return all
}

func with(components []Component, more ...Component) []Component {
	return slices.Concat(components, more)
}

var (
	autoOff    = Component{"auto_off", 2}
	energy     = Component{"energy_monitoring", 2}
	protection = Component{"power_protection", 1}
	current    = Component{"current_protection", 1}
	charging   = Component{"charging_protection", 2}
	localSmart = Component{"localSmart", 1}
)

// Recorded models.
var (
	P100Old = Model{
		Name: "P100", Hardware: "1.0.0", Firmware: "1.1.3 Build 200914 Rel.37206",
		Protocol: Passthrough, LoginVersion: passthrough.LoginClear, Components: first, NoBatch: true, Closes: true,
	}
	P100Passthrough = Model{
		Name: "P100", Hardware: "1.0.0", Firmware: "1.3.7 Build 230711 Rel.61904",
		Protocol: Passthrough, LoginVersion: passthrough.LoginHashed, Components: older,
	}
	P100 = Model{Name: "P100", Hardware: "1.0.0", Firmware: "1.4.0 Build 231017 Rel.35876", Components: older}
	P105 = Model{Name: "P105", Region: "US", Hardware: "1.0", Firmware: "1.2.5 Build 240411 Rel.143808", Components: with(base, autoOff, localSmart)}

	P110Old = Model{
		Name: "P110", Region: "EU", Hardware: "1.0", Firmware: "1.0.7 Build 210629 Rel.174901",
		Protocol: Passthrough, LoginVersion: passthrough.LoginClear, Components: with(first, Component{"energy_monitoring", 1}),
	}
	P110Passthrough = Model{
		Name: "P110", Region: "EU", Hardware: "1.0", Firmware: "1.2.3 Build 230425 Rel.142542",
		Protocol: Passthrough, LoginVersion: passthrough.LoginHashed, Components: with(base, autoOff, energy, protection),
	}
	// P110NoEmeter has no get_emeter_data.
	P110NoEmeter = Model{
		Name: "P110", Region: "UK", Hardware: "1.0", Firmware: "1.3.0 Build 230905 Rel.152200",
		Components: with(base, autoOff, energy, protection, localSmart, current),
	}
	P110 = Model{
		Name: "P110", Region: "AU", Hardware: "1.0", Firmware: "1.3.1 Build 240621 Rel.162048",
		Components: with(base, autoOff, energy, protection, localSmart, current, charging), Emeter: true,
	}
	// P110Compatible has firmware of the TPAP generation, with Third-Party
	// Compatibility on; P110TPAP is the same with the switch off.
	P110Compatible = Model{
		Name: "P110", Region: "EU", Hardware: "1.0", Firmware: "1.4.6 Build 260312 Rel.101520", Compatibility: true,
		Components: with(base, autoOff, energy, protection, localSmart, current, charging), Emeter: true,
	}
	P110TPAP = Model{
		Name: "P110", Region: "EU", Hardware: "1.0", Firmware: "1.4.6 Build 260312 Rel.101520", Protocol: TPAP,
		Components: with(base, autoOff, energy, protection, localSmart, current, charging), Emeter: true,
	}
	P115Passthrough = Model{
		Name: "P115", Region: "EU", Hardware: "1.0", Firmware: "1.2.3 Build 230425 Rel.142542",
		Protocol: Passthrough, LoginVersion: passthrough.LoginHashed, Components: with(base, autoOff, energy, protection),
	}
	P115 = Model{
		Name: "P115", Region: "US", Hardware: "1.0", Firmware: "1.1.3 Build 240523 Rel.175054",
		Components: with(base, autoOff, energy, protection, localSmart, current, charging, Component{"overheat_protection", 1}), Emeter: true,
	}
)

// Models returns all of the above.
func Models() []Model {
	return []Model{
		P100Old, P100Passthrough, P100, P105, P110Old, P110Passthrough, P110NoEmeter, P110, P110Compatible, P110TPAP, P115Passthrough, P115,
	}
}

// first reports whether this is the first firmware of P100, which tells less.
func (m Model) first() bool { return m.Name == "P100" && strings.HasPrefix(m.Firmware, "1.1") }

// has reports whether the model has a component in a version or later.
func (m Model) has(id string, version int) bool {
	for _, c := range m.Components {
		if c.ID == id {
			return c.Version >= version
		}
	}
	return false
}

// String returns the protocol's name.
func (p Protocol) String() string {
	switch p {
	case Passthrough:
		return "passthrough"
	case TPAP:
		return "tpap"
	default:
		return "klap"
	}
}
