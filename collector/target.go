// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
)

// resolveTarget returns the plug that a probe's parameters name: a target of the
// configuration, one that discovery adds, or an address that the configuration
// accepts unlisted. Such an address is an IP literal without a port, and is never
// read over securePassthrough, which would give the password to any host that a
// client names. So the exporter is of no use for scanning ports or for fishing for
// credentials.
func (e *Exporter) resolveTarget(c *config.Config, query url.Values) (t config.Target, err error) {
	name, err := single(query, "target")
	if err != nil {
		return t, err
	}
	if name == "" {
		return t, errors.New("parameter target is missing: /probe?target=NAME")
	}
	auth, err := single(query, "auth")
	if err != nil {
		return t, err
	}
	if _, known := c.Auths[auth]; auth != "" && !known {
		return t, fmt.Errorf("unknown auth %q", auth)
	}
	t, known := e.locator.FindTarget(c, name)
	if bare, ok := withoutBrackets(name); ok {
		name = bare
		if !known {
			t, known = e.locator.FindTarget(c, name)
		}
	}
	if !known {
		addr, err := netip.ParseAddr(name)
		if err != nil {
			return t, fmt.Errorf("%w %q: it is not listed, and only an IP address without a port may be read unlisted", errUnknown, name)
		}
		addr = addr.Unmap() // ::ffff:192.168.1.20 is 192.168.1.20
		if t, known = e.locator.FindTarget(c, addr.String()); !known {
			return unlistedTarget(c, addr, auth)
		}
	}
	if addr, err := netip.ParseAddr(name); err == nil && auth != "" && auth != t.Auth && !inConfig(c, t) {
		return unlistedTarget(c, addr.Unmap(), auth)
	}
	if auth != "" && auth != t.Auth {
		return t, fmt.Errorf("target %q has auth %q, not %q", t.Name, t.Auth, auth)
	}
	return t, nil
}

// withoutBrackets returns an IPv6 address that is written in brackets, as in URLs.
func withoutBrackets(name string) (bare string, ok bool) {
	bare, opened := strings.CutPrefix(name, "[")
	bare, closed := strings.CutSuffix(bare, "]")
	addr, err := netip.ParseAddr(bare)
	return bare, opened && closed && err == nil && addr.Is6()
}

// inConfig reports whether the configuration lists a target.
func inConfig(c *config.Config, t config.Target) bool {
	_, listed := c.Target(t.Name)
	return listed
}

var errUnknown = errors.New("unknown target")

func unlistedTarget(c *config.Config, addr netip.Addr, auth string) (config.Target, error) {
	if !c.Unlisted.Allows(addr) {
		return config.Target{}, fmt.Errorf("refused target %q: it is not listed, and not in unlisted.networks", addr)
	}
	if auth == "" {
		only, ok := c.OnlyAuth()
		if !ok {
			return config.Target{}, errors.New("parameter auth is missing, and there are several accounts")
		}
		auth = only
	}
	return config.Target{Name: addr.String(), Address: addr.String(), Auth: auth, Credentials: c.Auths[auth].Credentials(), Unlisted: true}, nil
}

// single returns a parameter that may be given once.
func single(query url.Values, name string) (string, error) {
	if len(query[name]) > 1 {
		return "", fmt.Errorf("parameter %s is given more than once", name)
	}
	return query.Get(name), nil
}
