// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import "fmt"

// checkMAC returns an error, and ends the session, if a plug is not the one that
// the configuration wants.
func (d *Device) checkMAC(info Info) error {
	if d.login.isWanted(info.MAC) {
		return nil
	}
	d.login.drop()
	return d.login.anotherPlug(info.MAC)
}

// isWanted reports whether a plug with this MAC address is the one that the
// configuration wants, or any will do.
func (l *login) isWanted(mac string) bool {
	return l.cfg.MAC == "" || ParseMAC(mac) == l.cfg.MAC
}

// anotherPlug says that the plug at the address is not the one that is wanted.
func (l *login) anotherPlug(mac string) error {
	return &failure{
		reason: NotAPlug, protocol: l.protocol(), text: fmt.Sprintf("another plug answers: its MAC address is %q, not %s", ParseMAC(mac), l.cfg.MAC),
		advice: "The router has given the plug's address to another plug. A plug that is listed by its mac is searched for; if it is not found, check that it has power and Wi-Fi.",
	}
}
