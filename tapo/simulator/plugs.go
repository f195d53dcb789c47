// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import "github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"

var (
	autoOff    = Component{"auto_off", 2}
	energy     = Component{"energy_monitoring", 2}
	protection = Component{"power_protection", 1}
	current    = Component{"current_protection", 1}
	charging   = Component{"charging_protection", 2}
	localSmart = Component{"localSmart", 1}
	overheat   = Component{"overheat_protection", 1}
	matter     = Component{"matter", 2}
	homekit    = Component{"homekit", 2}
)

// Plugs, with the components and methods of python-kasa's recordings. A firmware
// without a build has the version of the recording's file name only.
var (
	P100Old = Model{
		Name: "P100", Hardware: "1.0.0", Firmware: "1.1.3 Build 200914 Rel.37206",
		Protocol: Passthrough, LoginVersion: passthrough.LoginClear, Components: oldest, NoBatch: true, Closes: true,
	}
	P100Passthrough = Model{
		Name: "P100", Hardware: "1.0.0", Firmware: "1.3.7 Build 230711 Rel.61904",
		Protocol: Passthrough, LoginVersion: passthrough.LoginHashed, Components: older,
	}
	P100 = Model{Name: "P100", Hardware: "1.0.0", Firmware: "1.4.0 Build 231017 Rel.35876", Components: older}
	P105 = Model{Name: "P105", Region: "US", Hardware: "1.0", Firmware: "1.2.5 Build 240411 Rel.143808", Components: with(base, autoOff, localSmart)}

	P110Old = Model{
		Name: "P110", Region: "EU", Hardware: "1.0", Firmware: "1.0.7 Build 210629 Rel.174901",
		Protocol: Passthrough, LoginVersion: passthrough.LoginClear, Components: with(oldest, Component{"energy_monitoring", 1}),
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
	// P110Compatible has firmware of the TPAP generation with Third-Party
	// Compatibility on. P110TPAP has the same firmware with the switch off
	// (petretiandrea/home-assistant-tapo-p100#958).
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
		Components: with(base, autoOff, energy, protection, localSmart, current, overheat, charging), Emeter: true,
	}
	P110M = Model{
		Name: "P110M", Region: "EU", Hardware: "1.0", Firmware: "1.2.3",
		Components: with(base, autoOff, localSmart, energy, protection, charging, matter, current), Emeter: true,
	}
	// P410M measures the direction of the power (python-kasa/python-kasa#1709).
	P410M = Model{
		Name: "P410M", Region: "EU", Hardware: "1.0", Firmware: "1.4.4 Build 251203 Rel.090729", Compatibility: true,
		Components: balcony, Emeter: true,
	}
	P410MTPAP = Model{
		Name: "P410M", Region: "EU", Hardware: "1.0", Firmware: "1.4.4 Build 251203 Rel.090729", Protocol: TPAP,
		Components: balcony, Emeter: true,
	}
	P125M           = Model{Name: "P125M", Region: "US", Hardware: "1.0", Firmware: "1.1.0", Components: with(base, autoOff, localSmart, matter)}
	P135Passthrough = Model{
		Name: "P135", Region: "US", Hardware: "1.0", Firmware: "1.0.5",
		Protocol: Passthrough, LoginVersion: passthrough.LoginHashed, Components: with(base, dimmer, matter),
	}
	P135 = Model{Name: "P135", Region: "US", Hardware: "1.0", Firmware: "1.2.0", Components: with(base, dimmer, matter)}
	TP10 = Model{Name: "TP10", Region: "IT", Hardware: "1.0", Firmware: "1.2.5", Components: with(base, autoOff, localSmart)}
	TP15 = Model{
		Name: "TP15", Region: "US", Hardware: "1.0", Firmware: "1.0.3",
		Protocol: Passthrough, LoginVersion: passthrough.LoginHashed, Components: with(base, autoOff, Component{"matter", 1}),
	}
	EP25First = Model{
		Name: "EP25", Region: "US", Hardware: "2.6", Firmware: "1.0.1", Type: kasaPlug,
		Protocol: Passthrough, LoginVersion: passthrough.LoginHashed, Components: with(base, autoOff, energy, protection, homekit),
	}
	EP25 = Model{
		Name: "EP25", Region: "US", Hardware: "2.6", Firmware: "1.0.2", Type: kasaPlug,
		Protocol: Passthrough, LoginVersion: passthrough.LoginHashed, Components: with(base, autoOff, energy, protection, homekit, current),
	}
	KP125MPassthrough = Model{
		Name: "KP125M", Region: "US", Hardware: "1.0", Firmware: "1.1.3", Type: kasaPlug,
		Protocol: Passthrough, LoginVersion: passthrough.LoginHashed, Components: with(base, autoOff, energy, protection, matter),
	}
	KP125M = Model{
		Name: "KP125M", Region: "US", Hardware: "1.0", Firmware: "1.2.3", Type: kasaPlug,
		Components: with(base, autoOff, energy, protection, matter, current), Emeter: true,
	}
)

const kasaPlug = "SMART.KASAPLUG"

var dimmer = Component{"brightness", 1}

// directed is the version of energy_monitoring of a plug that measures the direction.
const directed = 3

// balcony has the components of P410M.
var balcony = components("device:2 firmware:2 quick_setup:3 time:1 wireless:1 schedule:2 countdown:2 antitheft:1 account:1 " +
	"synchronize:1 sunrise_sunset:1 led:1 cloud_connect:1 iot_cloud:1 device_local_time:1 default_states:1 auto_off:2 localSmart:1 " +
	"energy_unit:1 energy_monitoring:3 power_protection:2 charging_protection:2 matter:3 current_protection:1 overheat_protection:1 " +
	"tpap:1 noc:1")
