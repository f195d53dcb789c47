// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
)

// resolveTarget returns the plug that a probe's parameters name: a listed
// target, or an address that the configuration takes unlisted. Such an address
// is an IP literal without a port, and is never asked with securePassthrough,
// which would give the password to whoever is named: the exporter must be of no
// use for scanning ports or fishing for credentials.
func (e *Exporter) resolveTarget(c *config.Config, query url.Values) (t config.Target, listed bool, err error) {
	name, err := single(query, "target")
	if err != nil {
		return t, false, err
	}
	if name == "" {
		return t, false, errors.New("parameter target is missing: /probe?target=NAME")
	}
	auth, err := single(query, "auth")
	if err != nil {
		return t, false, err
	}
	if _, known := c.Auths[auth]; auth != "" && !known {
		return t, false, fmt.Errorf("unknown auth %q", auth)
	}
	t, listed = e.locator.FindTarget(c, name)
	if !listed {
		addr, err := netip.ParseAddr(name)
		if err != nil {
			return t, false, fmt.Errorf("%w %q: it is not listed, and only an IP address without a port may be read unlisted", errUnknown, name)
		}
		addr = addr.Unmap() // ::ffff:192.168.1.20 is 192.168.1.20
		if t, listed = e.locator.FindTarget(c, addr.String()); !listed {
			return unlistedTarget(c, addr, auth)
		}
	}
	if addr, err := netip.ParseAddr(name); err == nil && auth != "" && auth != t.Auth && !inConfig(c, t) {
		return unlistedTarget(c, addr.Unmap(), auth)
	}
	if auth != "" && auth != t.Auth {
		return t, true, fmt.Errorf("target %q has auth %q, not %q", t.Name, t.Auth, auth)
	}
	return t, true, nil
}

// inConfig reports whether the configuration lists a target.
func inConfig(c *config.Config, t config.Target) bool {
	_, listed := c.Target(t.Name)
	return listed
}

var errUnknown = errors.New("unknown target")

func unlistedTarget(c *config.Config, addr netip.Addr, auth string) (config.Target, bool, error) {
	if !c.Unlisted.Allows(addr) {
		return config.Target{}, false, fmt.Errorf("refused target %q: it is not listed, and not in unlisted.networks", addr)
	}
	if auth == "" {
		only, ok := c.OnlyAuth()
		if !ok {
			return config.Target{}, false, errors.New("parameter auth is missing, and there are several accounts")
		}
		auth = only
	}
	return config.Target{Name: addr.String(), Address: addr.String(), Auth: auth, Credentials: c.Auths[auth].Credentials()}, false, nil
}

// single returns a parameter that may be given once.
func single(query url.Values, name string) (string, error) {
	if len(query[name]) > 1 {
		return "", fmt.Errorf("parameter %s is given more than once", name)
	}
	return query.Get(name), nil
}
