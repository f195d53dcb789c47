// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
	"github.com/tapo-exporter/tapo_exporter/tapo/safetext"
)

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// reservedLabels would be overwritten, or would overwrite the plug's own.
var reservedLabels = []string{"instance", "outlet", "device_id", "mac", "model", "hardware", "firmware", "name", "protocol", "reason"}

func (l *loader) checkTargets() {
	for name, auth := range l.Auths {
		if auth.Password == ExamplePassword {
			l.warn("auth %q: the password is still the example's, and is not tried on any plug", name)
		}
	}
	names, places := map[string]int{}, map[string]string{}
	for i := range l.Targets {
		t := &l.Targets[i]
		if t.Name == "" {
			l.fail("target %d: name is missing", []any{i + 1}, "targets", i)
		} else if !printable(t.Name) {
			l.fail("target %d: the name has unprintable characters", []any{i + 1}, "targets", i, "name")
		} else if first, ok := names[t.Name]; ok {
			l.fail("target %q: the name is taken by the target in line %d", []any{t.Name, findLine(l.root, []any{"targets", first, "name"})}, "targets", i, "name")
		} else {
			names[t.Name] = i
		}
		l.checkPlace(i, t)
		place, err := tapo.ParseAddress(t.Address)
		if err != nil {
			place = t.MAC
		}
		if other, ok := places[place]; ok && place != "" {
			l.warn("targets %q and %q have the same address or mac, and a plug keeps one session", other, t.Name)
		}
		places[place] = t.Name
		l.checkProtocol(i, t)
		l.checkLabels(i, t)
		t.Auth = l.resolveAuth(t.Auth, "target "+quote(t.Name), "targets", i, "auth")
		t.Credentials = l.Auths[t.Auth].Credentials()
	}
}

// checkPlace checks how the plug is to be found.
func (l *loader) checkPlace(i int, t *Target) {
	switch {
	case t.Address == "" && t.MAC == "":
		l.fail("target %q: address or mac is missing", []any{t.Name}, "targets", i)
	case t.Address != "" && t.MAC != "":
		l.fail("target %q: both address and mac: use one", []any{t.Name}, "targets", i, "mac")
	case t.Address != "":
		if _, err := tapo.ParseAddress(t.Address); err != nil {
			l.fail("target %q: %w", []any{t.Name, err}, "targets", i, "address")
		}
	default:
		if t.MAC = tapo.ParseMAC(t.MAC); t.MAC == "" {
			l.fail("target %q: mac must look like AA-BB-CC-00-11-22", []any{t.Name}, "targets", i, "mac")
		}
	}
}

func (l *loader) checkProtocol(i int, t *Target) {
	if t.Protocol != "" && !slices.Contains(tapo.Protocols(), t.Protocol) {
		l.fail("target %q: protocol must be tpap, klap or passthrough", []any{t.Name}, "targets", i, "protocol")
	}
	if t.Protocol == tapo.Passthrough && !t.AllowPassthrough {
		l.warn("target %q: pinned to passthrough, which needs allow_passthrough: true; it will not be read", t.Name)
	}
	switch {
	case t.AllowPassthrough && t.MAC != "":
		l.warn("target %q: allow_passthrough needs the plug's address: anybody can answer for a mac, and would get the account's password", t.Name)
	case t.AllowPassthrough:
		l.warn("target %q: allow_passthrough gives the account's password to whoever answers at its address", t.Name)
	}
	if t.SkipReplyVerification() {
		l.warn("target %q: verify_replies: false takes replies that anyone on the network could have written", t.Name)
	}
}

func (l *loader) checkLabels(i int, t *Target) {
	for name := range t.Labels {
		switch {
		case !labelName.MatchString(name) || strings.HasPrefix(name, "__"):
			l.fail("target %q: label %q: names are letters, digits and _, not starting with a digit or __", []any{t.Name, name}, "targets", i, "labels", name)
		case slices.Contains(reservedLabels, name):
			l.fail("target %q: label %q: the exporter's own series use this name", []any{t.Name, name}, "targets", i, "labels", name)
		}
	}
}

// resolveAuth returns the name of the account to use.
func (l *loader) resolveAuth(name, whose string, at ...any) string {
	if name == "" {
		only, ok := l.OnlyAuth()
		if !ok && len(l.Auths) > 1 {
			l.fail("%s: auth is missing, and there are several accounts", []any{whose}, at[:len(at)-1]...)
		}
		return only
	}
	if _, ok := l.Auths[name]; !ok && len(l.Auths) > 0 {
		l.fail("%s: there is no auth %q", []any{whose, name}, at...)
	}
	return name
}

func (l *loader) checkDiscovery() {
	d := &l.Discovery
	if d.Enabled || d.Auth != "" {
		d.Auth = l.resolveAuth(d.Auth, "discovery", "discovery", "auth")
	}
	if d.Interval < 0 || d.Interval > 0 && d.Interval < time.Second {
		l.fail("discovery: interval must be at least 1s", nil, "discovery", "interval")
	}
	if d.Addresses != nil && len(d.Addresses) == 0 {
		l.fail("discovery: addresses is empty: leave it out to ask the whole network", nil, "discovery", "addresses")
	}
	for i, a := range d.Addresses {
		if _, err := discovery.ParseAddress(a); err != nil {
			l.fail("discovery: address %d: %w", []any{i + 1, err}, "discovery", "addresses", i)
		}
	}
}

func (l *loader) checkUnlisted() {
	u := &l.Unlisted
	if u.Networks == nil {
		u.Networks = defaultNetworks()
	}
	for i, n := range u.Networks {
		prefix, err := netip.ParsePrefix(n)
		if err != nil {
			l.fail("unlisted: network %d must look like 192.168.0.0/16", []any{i + 1}, "unlisted", "networks", i)
		}
		u.prefixes = append(u.prefixes, prefix)
	}
}

func printable(s string) bool { return safetext.Clean(s) == s }

func quote(s string) string { return `"` + s + `"` }
