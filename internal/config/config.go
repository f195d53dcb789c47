// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package config is targets.yml: which plugs there are and whose they are.
//
// Loading is strict, since a typing mistake in a name must not pass as a
// setting left out: what is not understood is an error that names the line.
// Errors quote nothing from the file but keys and names, because a misplaced
// password is a value like any other.
package config

import (
	"net/netip"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// Config is a checked configuration. It must not be modified.
type Config struct {
	Auths     map[string]Auth `yaml:"auths"`
	Targets   []Target        `yaml:"targets,omitempty"`
	Discovery Discovery       `yaml:"discovery,omitempty"`
	Unlisted  Unlisted        `yaml:"unlisted"`

	// Warnings are about settings that are valid but deserve a second look.
	Warnings []string `yaml:"-"`

	index targetIndex
}

// Auth is a TP-Link account.
type Auth struct {
	Username     string      `yaml:"username"`
	Password     tapo.Secret `yaml:"password,omitempty"`
	PasswordFile string      `yaml:"password_file,omitempty"`
}

// ExamplePassword stands where a made-up configuration wants a password. It is
// never tried on a plug, which may count it as a wrong one.
const ExamplePassword = "change-me"

// MarshalYAML writes what the file has: not a password that comes from a file of
// its own. It hides the username as well, which is an e-mail address.
func (a Auth) MarshalYAML() (any, error) {
	type plain Auth
	a.Username = tapo.Secret(a.Username).String()
	if a.PasswordFile != "" {
		a.Password = ""
	}
	return plain(a), nil
}

// Target is a plug.
type Target struct {
	Name             string            `yaml:"name"`
	Address          string            `yaml:"address,omitempty"`
	MAC              string            `yaml:"mac,omitempty"`
	Auth             string            `yaml:"auth,omitempty"` // always set once loaded
	Labels           map[string]string `yaml:"labels,omitempty"`
	Protocol         tapo.Protocol     `yaml:"protocol,omitempty"`
	AllowPassthrough bool              `yaml:"allow_passthrough,omitempty"`
	VerifyReplies    *bool             `yaml:"verify_replies,omitempty"` // nil means true

	// Credentials are those of Auth.
	Credentials tapo.Credentials `yaml:"-"`
	// Unlisted is true if the user has not listed the target: discovery has found it, or a
	// client of /probe has named it. There may be any number of such targets.
	Unlisted bool `yaml:"-"`
	// Located is true if the target is listed and Address is where a search has found the
	// plug of MAC.
	Located bool `yaml:"-"`
}

// Discovery says how to look for plugs.
type Discovery struct {
	// Enabled makes targets of plugs that are not listed. Those that are listed by
	// their mac are searched for anyway.
	Enabled bool   `yaml:"enabled,omitempty"`
	Auth    string `yaml:"auth,omitempty"` // always set once loaded, if enabled
	// Interval is between searches; 0 means DefaultInterval.
	Interval time.Duration `yaml:"interval,omitempty"`
	// Addresses are whom to ask; nil means a broadcast.
	Addresses []string `yaml:"addresses,omitempty"`
}

// DefaultInterval is between searches where a file does not say.
const DefaultInterval = 5 * time.Minute

// Searches reports whether plugs have to be searched for.
func (c *Config) Searches() bool {
	return c.Discovery.Enabled || len(c.indexed().byMAC) > 0
}

// Unlisted says which addresses may be probed although no target has them.
type Unlisted struct {
	// Networks are the private ones where a file does not say; an empty list
	// refuses all.
	Networks []string `yaml:"networks"`

	prefixes []netip.Prefix
}

func defaultNetworks() []string {
	return []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"}
}

// Allows reports whether an address may be probed.
func (u Unlisted) Allows(addr netip.Addr) bool {
	for _, n := range u.prefixes {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// HasExampleAccount reports whether the target's account has yet to be filled in.
func (t Target) HasExampleAccount() bool { return t.Credentials.Password == ExamplePassword }

// SkipReplyVerification reports whether the target's replies are taken unsigned.
func (t Target) SkipReplyVerification() bool { return t.VerifyReplies != nil && !*t.VerifyReplies }

// OnlyAuth returns the name of the only account there is.
func (c *Config) OnlyAuth() (string, bool) {
	if len(c.Auths) != 1 {
		return "", false
	}
	for name := range c.Auths {
		return name, true
	}
	return "", false
}

// Credentials returns those of an account.
func (a Auth) Credentials() tapo.Credentials {
	return tapo.Credentials{Username: a.Username, Password: a.Password}
}
