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

// Protocol is the protocol of a firmware.
type Protocol int

// The protocols.
const (
	KLAP Protocol = iota
	Passthrough
	TPAP
)

// Model is a model of plug with one firmware.
type Model struct {
	Name     string // P110
	Region   string // EU; "" on the first models
	Hardware string
	Firmware string
	Protocol Protocol
	// LoginVersion is the login that a Passthrough plug announces. With version 2 it
	// accepts the password in clear as well, unless HashedLoginOnly is set: clients that
	// send nothing else read real plugs (npm's tp-link-tapo-connect 2.0.15).
	LoginVersion    passthrough.LoginVersion
	HashedLoginOnly bool
	// Compatibility marks firmware 1.4 or later that speaks KLAP because
	// Third-Party Compatibility is on (docs/protocols.md).
	Compatibility bool
	// Components is the list of component_nego.
	Components []Component
	// Type is the device's type; empty is SMART.TAPOPLUG.
	Type string
	// Emeter means that the plug has get_emeter_data.
	Emeter bool
	// Refuses lists methods that the plug refuses although it has the component.
	Refuses []string
	// Strip has the outlets of a strip, and is nil for other devices. NoRelay marks
	// another device that cannot be switched as a whole, such as a hub.
	Strip   *Strip
	NoRelay bool
	// NoBatch marks firmware that refuses multipleRequest with -1003
	// (python-kasa/python-kasa#819).
	NoBatch bool
	// Closes marks firmware that closes the connection after every reply without
	// announcing it (python-kasa/python-kasa#682).
	Closes bool
	// HangsOnBatches marks firmware that replies to the first multipleRequest of a
	// session and hangs on the next (python-kasa/python-kasa#1759).
	HangsOnBatches bool
}

// Strip describes the outlets of a strip.
type Strip struct {
	Outlets int
	// NightLight makes the last child a lamp. USB makes the last outlet a USB outlet.
	NightLight, USB bool
	// Reversed lists the outlets from the last to the first.
	Reversed bool
	// Components is the list of every outlet.
	Components []Component
	// Emeter means that the outlets have get_emeter_data, NoPower that their
	// get_energy_usage has no current_power.
	Emeter, NoPower bool
	// Protection means that get_child_device_list includes the result of
	// get_protection_power.
	Protection bool
	// Category is the category of a child; empty is plug.powerstrip.sub-plug.
	Category string
}

// Component is an entry of component_nego.
type Component struct {
	ID      string `json:"id"`
	Version int    `json:"ver_code"`
}

// The components of plugs of the last years, of a P100 of 2023, and of the first
// firmware, as in python-kasa's recordings.
var (
	base = components("device:2 firmware:2 quick_setup:3 inherit:1 time:1 wireless:1 schedule:2 countdown:2 antitheft:1 account:1 " +
		"synchronize:1 sunrise_sunset:1 led:1 cloud_connect:1 iot_cloud:1 device_local_time:1 default_states:1")
	older = components("device:2 firmware:1 quick_setup:3 inherit:1 time:1 wireless:1 schedule:2 countdown:2 antitheft:1 account:1 " +
		"synchronize:1 sunrise_sunset:1 led:1 cloud_connect:1 iot_cloud:1 default_states:1")
	oldest = components("device:1 firmware:1 quick_setup:1 time:1 wireless:1 schedule:1 countdown:1 antitheft:1 account:1 " +
		"synchronize:1 sunrise_sunset:1 led:1 cloud_connect:1")
)

// components parses a list of `id:version`.
func components(list string) []Component {
	var all []Component
	for entry := range strings.FieldsSeq(list) {
		id, version, _ := strings.Cut(entry, ":")
		n, err := strconv.Atoi(version)
		if err != nil {
			panic(err) // a mistake in this package
		}
		all = append(all, Component{id, n})
	}
	return all
}

func with(components []Component, more ...Component) []Component {
	return slices.Concat(components, more)
}

// isFirstFirmware reports whether this is the first firmware of P100, which leaves
// members of get_device_info out.
func (m Model) isFirstFirmware() bool {
	return m.Name == "P100" && strings.HasPrefix(m.Firmware, "1.1")
}

// kind returns the device's type.
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
