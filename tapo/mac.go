// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"fmt"
)

// NotFound is the error about a plug that is known by its MAC address alone, where
// no search has found it.
func NotFound(mac string) *Error {
	return &Error{
		Reason: Unreachable, Err: fmt.Errorf("no plug with the MAC address %s has replied to the search", mac),
		Advice: "Check that the plug has power and Wi-Fi, and its MAC address in the Tapo app (the plug's settings, Device Info). The search does not leave the local " +
			"network nor, usually, a container: list the plug with its address then, or name it under discovery.addresses.",
	}
}

// isWanted reports whether a plug with this MAC address is the one that the
// configuration wants, or any will do.
func (d *Device) isWanted(mac string) bool {
	return d.cfg.MAC == "" || ParseMAC(mac) == d.cfg.MAC
}

// anotherPlug says that the plug at the address is not the one that is wanted.
func (d *Device) anotherPlug(mac string) error {
	return &failure{
		reason: NotAPlug, protocol: d.last, text: fmt.Sprintf("another plug answers: its MAC address is %q, not %s", ParseMAC(mac), d.cfg.MAC),
		advice: "The router has given the plug's address to another plug. A plug that is listed by its mac is searched for; if it is not found, check that it has power and Wi-Fi.",
	}
}
