// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import "github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"

var (
	childDevice  = Component{"child_device", 2}
	childControl = Component{"control_child", 2}
	// outletBase has the components that the outlets of all strips have.
	outletBase = components("device:2 schedule:2 countdown:2 default_states:1")
	metered    = with(outletBase, autoOff, energy, current, protection, charging)
)

// Strips, with the components and methods of python-kasa's recordings.
var (
	// P300First hangs on batches (python-kasa/python-kasa#1759).
	P300First = Model{
		Name: "P300", Region: "EU", Hardware: "1.0", Firmware: "1.0.7", HangsOnBatches: true,
		Protocol: Passthrough, LoginVersion: passthrough.LoginHashed,
		Components: with(base, childControl, childDevice, Component{"homekit", 1}, overheat),
		Strip:      &Strip{Outlets: 3, Components: outletBase},
	}
	P300 = Model{
		Name: "P300", Region: "EU", Hardware: "1.0", Firmware: "1.0.13",
		Components: with(base, childControl, childDevice, homekit, overheat),
		Strip:      &Strip{Outlets: 3, Components: outletBase},
	}
	// P300Reversed lists its outlets in reverse.
	P300Reversed = Model{
		Name: "P300", Region: "EU", Hardware: "1.0", Firmware: "1.0.15",
		Components: with(base, childControl, childDevice, homekit, overheat, autoOff),
		Strip:      &Strip{Outlets: 3, Reversed: true, Components: with(outletBase, autoOff)},
	}
	// P304M reports the power of its outlets in whole watts only.
	P304M = Model{
		Name: "P304M", Region: "UK", Hardware: "1.0", Firmware: "1.0.3",
		Components: with(base, childControl, childDevice, localSmart, autoOff, matter, overheat, energy, current, protection, charging),
		Refuses:    []string{"get_energy_usage", "get_current_power", "get_max_power"},
		Strip:      &Strip{Outlets: 4, Components: metered, NoPower: true, Protection: true},
	}
	// P306 has a USB outlet and a night light, and lists its children in reverse.
	P306 = Model{
		Name: "P306", Region: "US", Hardware: "1.0", Firmware: "1.1.2",
		Components: with(base, childControl, childDevice, localSmart, autoOff, homekit, overheat, Component{"auto_light_control", 1}),
		Strip:      &Strip{Outlets: 5, USB: true, NightLight: true, Reversed: true, Components: with(outletBase, autoOff)},
	}
	// P316M reports the energy of one outlet as that of the strip.
	P316M = Model{
		Name: "P316M", Region: "US", Hardware: "1.6", Firmware: "1.0.5", Emeter: true,
		Components: with(base, childControl, childDevice, localSmart, Component{"matter", 3}, autoOff, energy, current, protection, charging),
		Refuses:    []string{"get_device_usage"},
		Strip:      &Strip{Outlets: 6, Components: metered, Emeter: true, NoPower: true},
	}
	P210M = Model{
		Name: "P210M", Region: "US", Hardware: "1.0", Firmware: "1.0.3",
		Components: with(base, childControl, childDevice, localSmart, autoOff, matter, energy, current, protection, charging),
		Refuses:    []string{"get_energy_usage", "get_current_power", "get_max_power"},
		Strip:      &Strip{Outlets: 2, Components: metered, Emeter: true, NoPower: true, Protection: true},
	}
	TP25 = Model{
		Name: "TP25", Region: "US", Hardware: "1.0", Firmware: "1.0.2",
		Protocol: Passthrough, LoginVersion: passthrough.LoginHashed,
		Components: with(base, childControl, childDevice, matter, overheat),
		Strip:      &Strip{Outlets: 2, Components: outletBase},
	}
	EP40M = Model{
		Name: "EP40M", Region: "US", Hardware: "1.0", Firmware: "1.1.0", Type: kasaPlug,
		Components: with(base, childControl, childDevice, matter, overheat),
		Strip:      &Strip{Outlets: 2, Components: outletBase},
	}
)

// Devices that are not plugs.
var (
	L530 = Model{Name: "L530", Region: "EU", Hardware: "1.0", Firmware: "1.1.0", Type: "SMART.TAPOBULB", Components: with(base, dimmer)}
	L900 = Model{Name: "L900", Region: "EU", Hardware: "1.0", Firmware: "1.1.0", Type: "SMART.TAPOBULB", Components: with(base, dimmer)}
	S505 = Model{Name: "S505", Region: "US", Hardware: "1.0", Firmware: "1.1.0", Type: "SMART.TAPOSWITCH", Components: with(base, autoOff)}
	// H100 is a hub with two sensors.
	H100 = Model{
		Name: "H100", Region: "EU", Hardware: "1.0", Firmware: "1.5.5", Type: "SMART.TAPOHUB", NoRelay: true,
		Components: with(base, childControl, childDevice),
		Strip:      &Strip{Outlets: 2, Category: "subg.trigger.contact-sensor", Components: outletBase},
	}
)

// Models returns all models: plugs, strips, and some devices that are neither.
func Models() []Model {
	return []Model{
		P100Old, P100Passthrough, P100, P105, P110Old, P110Passthrough, P110NoEmeter, P110, P110Compatible, P110TPAP, P110M, P410M, P410MTPAP,
		P115Passthrough, P115, P125M, P135Passthrough, P135, TP10, TP15, EP25First, EP25, KP125MPassthrough, KP125M,
		P300First, P300, P300Reversed, P304M, P306, P316M, P210M, TP25, EP40M,
		L530, L900, S505, H100,
	}
}
