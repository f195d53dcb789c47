// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Draft is a targets.yml that a user can begin with.
type Draft struct {
	// AccountFromEnvironment leaves out the account, which is then that of
	// TAPO_USERNAME.
	AccountFromEnvironment bool
	Targets                []DraftTarget
	// Addresses are those of discovery; nil means the default.
	Addresses []string
	// Others are comments about devices that are no targets.
	Others []string
}

// DraftTarget is a target of a [Draft].
type DraftTarget struct {
	Name    string // of a name that occurs twice the second one gets its address
	Address string
	MAC     string
	About   string // a comment
	// OldFirmware offers to allow securePassthrough, in a comment.
	OldFirmware bool
}

// String returns the file. [Load] takes it.
func (d Draft) String() string {
	var b strings.Builder
	b.WriteString("# Made by `tapo_exporter discover`. All settings: docs/configuration.md.\n\n")
	if d.AccountFromEnvironment {
		b.WriteString("# The account is that of TAPO_USERNAME and its password in the environment.\n")
	} else {
		b.WriteString("auths:\n  home:\n    username: me@example.com # change these two to those of your TP-Link account; letter case counts\n    password: " + ExamplePassword + "\n")
	}
	if len(d.Targets) == 0 {
		b.WriteString("\ntargets: []\n")
	} else {
		b.WriteString("\ntargets:\n")
	}
	names := map[string]bool{}
	for _, t := range d.Targets {
		if names[t.Name] {
			t.Name += "-" + strings.ReplaceAll(t.Address, ":", "-")
		}
		names[t.Name] = true
		t.write(&b)
	}
	if d.Addresses != nil {
		b.WriteString("\n# Where plugs that are listed by their mac are searched for.\ndiscovery:\n  addresses: [" + strings.Join(d.Addresses, ", ") + "]\n")
	}
	if len(d.Others) > 0 {
		b.WriteString("\n# Found as well:\n")
	}
	for _, about := range d.Others {
		b.WriteString("# " + about + "\n")
	}
	return b.String()
}

func (t DraftTarget) write(b *strings.Builder) {
	fmt.Fprintf(b, "  - name: %s # %s\n    address: %s\n    # mac: %s # instead of the address, to follow the plug through DHCP\n", scalar(t.Name), t.About, scalar(t.Address), t.MAC)
	if t.OldFirmware {
		b.WriteString("    # allow_passthrough: true # read docs/security.md first\n")
	}
}

// scalar returns a text as YAML, in quotes where it would be read as something
// else.
func scalar(text string) string {
	out, err := yaml.Marshal(text)
	if err != nil {
		panic(err) // a string can always be written
	}
	return strings.TrimSuffix(string(out), "\n")
}
