// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
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
	// Type is what the device calls itself; empty is SMART.TAPOPLUG.
	Type string
	// Emeter tells whether get_emeter_data is known.
	Emeter bool
	// Refuses are methods that are refused although the component is there.
	Refuses []string
	// Strip is what makes a strip of it, nil for others; NoRelay marks another
	// device that cannot be switched as a whole, such as a hub.
	Strip   *Strip
	NoRelay bool
	// NoBatch marks firmware that answers multipleRequest with -1003.
	NoBatch bool
	// Closes marks firmware that closes the connection after every reply,
	// unannounced.
	Closes bool
	// HangsOnBatches marks firmware that answers one multipleRequest of a session
	// and no other.
	HangsOnBatches bool
}

// Strip is the outlets of a model.
type Strip struct {
	Outlets int
	// NightLight makes the last one a lamp, USB the one before, or the last.
	NightLight, USB bool
	// Reversed lists them from the last to the first.
	Reversed bool
	// Components of every outlet.
	Components []Component
	// Emeter tells whether the outlets know get_emeter_data, NoPower that their
	// get_energy_usage lacks the power.
	Emeter, NoPower bool
	// Protection tells in the list what get_protection_power does.
	Protection bool
	// Category is what the list calls a outlet; empty is plug.powerstrip.sub-plug.
	Category string
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
	oldest = components("device:1 firmware:1 quick_setup:1 time:1 wireless:1 schedule:1 countdown:1 antitheft:1 account:1 " +
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

// isFirstFirmware reports whether this is the first firmware of P100, which tells less.
func (m Model) isFirstFirmware() bool {
	return m.Name == "P100" && strings.HasPrefix(m.Firmware, "1.1")
}

// kind is what the device calls itself.
func (m Model) kind() string { return cmp.Or(m.Type, "SMART.TAPOPLUG") }

// has reports whether a list has a component in a version or later.
func has(components []Component, id string, version int) bool {
	for _, c := range components {
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
