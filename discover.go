// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

// discoverCommand is the command discover.
type discoverCommand struct {
	timeout   time.Duration
	addresses []string
	format    string
}

func (c *discoverCommand) register(app *kingpin.Application) {
	cmd := app.Command("discover", "Find plugs on the network, and print a targets.yml.")
	cmd.Flag("timeout", "How long to wait for replies.").Default("5s").DurationVar(&c.timeout)
	cmd.Flag("address", "Whom to ask: the address of a plug, or the broadcast address of a network. Can be repeated.").
		Default(discovery.Broadcast).StringsVar(&c.addresses)
	cmd.Flag("format", "table, yaml for a targets.yml, or json for scripts.").Default("table").EnumVar(&c.format, "table", "yaml", "json")
}

// run searches, shows on stderr that it does, and prints what it has found.
func (c *discoverCommand) run(ctx context.Context, stdout, stderr io.Writer) error {
	if c.timeout <= 0 {
		return errUsage("--timeout must be positive")
	}
	for _, a := range c.addresses {
		if _, err := discovery.ParseAddress(a); err != nil {
			return errUsage(fmt.Sprintf("--address %q: %v", a, err))
		}
	}
	found := map[netip.AddrPort]discovery.Device{}
	fmt.Fprintf(stderr, "Asking %s, and waiting %v for replies\n", strings.Join(c.addresses, ", "), c.timeout)
	err := discovery.Search{Addresses: c.addresses, Timeout: c.timeout}.Run(ctx, func(d discovery.Device) {
		if _, known := found[d.Address]; !known {
			fmt.Fprintf(stderr, "  %s at %s\n", orWhat(d.Model), d.Address)
		}
		found[d.Address] = d
	})
	if err != nil {
		return fmt.Errorf("cannot search: %w", err)
	}
	devices := make([]discovery.Device, 0, len(found))
	for _, d := range found {
		devices = append(devices, d)
	}
	slices.SortFunc(devices, func(a, b discovery.Device) int { return a.Address.Compare(b.Address) })
	username := os.Getenv("TAPO_USERNAME")
	switch c.format {
	case "json":
		out := json.NewEncoder(stdout)
		out.SetIndent("", "  ")
		err = out.Encode(devices)
	case "yaml":
		_, err = io.WriteString(stdout, targetsYAML(devices, c.addresses, username))
	default:
		err = writeTable(stdout, devices, username)
	}
	if err == nil && len(devices) == 0 {
		return errors.New("nobody has replied" + c.whyNobody())
	}
	return err
}

// whyNobody says what may be the matter.
func (c *discoverCommand) whyNobody() string {
	if slices.Equal(c.addresses, []string{discovery.Broadcast}) {
		return `
  Are the plugs in the same network as this computer? A broadcast does not leave
  it, nor, usually, a container. Their addresses can be named with --address.
  Does a firewall here keep out UDP replies from port 20002?`
	}
	return `
  Do the plugs have power and Wi-Fi, and are the addresses right? The Tapo app
  shows a plug's address in its settings, under Device Info.`
}

func orWhat(model string) string {
	if model == "" {
		return "a device"
	}
	return model
}

// remark says what a user with an account, if that is known, should know of a
// device.
func remark(d discovery.Device, username string) string {
	switch {
	case strings.HasPrefix(d.Type, "IOT."):
		return "of the older Kasa kind, which this exporter does not read"
	case !d.IsPlug():
		return "no plug"
	case isForeign(d, username):
		return "of another account"
	case d.FactoryDefault:
		return "not set up yet: add it in the Tapo app"
	case d.Protocol() == tapo.Passthrough:
		return "old firmware: update it, or see allow_passthrough"
	case d.Protocol() == "":
		return "speaks something unknown: " + d.Encryption
	}
	return ""
}

func isForeign(d discovery.Device, username string) bool {
	return username != "" && !d.MayBelongTo(username)
}

func writeTable(w io.Writer, devices []discovery.Device, username string) error {
	if len(devices) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tMODEL\tADDRESS\tMAC\tPROTOCOL\tREMARK")
	for _, d := range devices {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", d.Name(), fullModel(d), shortAddress(d), d.MAC, d.Protocol(), remark(d, username))
	}
	return table.Flush()
}

func fullModel(d discovery.Device) string {
	if d.Region == "" {
		return d.Model
	}
	return d.Model + "(" + d.Region + ")"
}

// shortAddress leaves out the port that plugs usually have.
func shortAddress(d discovery.Device) string {
	return strings.TrimSuffix(d.Address.String(), ":80")
}

// targetsYAML returns a targets.yml with the plugs. What strangers have sent is
// in comments, and in names and addresses that are checked or made here.
func targetsYAML(devices []discovery.Device, asked []string, username string) string {
	hasPassword := os.Getenv("TAPO_PASSWORD")+os.Getenv("TAPO_PASSWORD_FILE") != ""
	var b strings.Builder
	b.WriteString("# Made by `tapo_exporter discover`. All settings: docs/configuration.md.\n\n")
	if username != "" && hasPassword {
		b.WriteString("# The account is that of TAPO_USERNAME and its password in the environment.\n")
	} else {
		b.WriteString("auths:\n  home:\n    username: me@example.com # change these two to those of your TP-Link account; letter case counts\n    password: " + config.ExamplePassword + "\n")
	}
	names := map[string]bool{}
	var targets, others strings.Builder
	for _, d := range devices {
		about := strings.Join(slices.DeleteFunc([]string{fullModel(d), d.Hardware, d.Firmware, string(d.Protocol()), remark(d, username)}, func(s string) bool { return s == "" }), ", ")
		if !d.IsPlug() || isForeign(d, username) {
			fmt.Fprintf(&others, "# %s at %s: %s\n", orWhat(d.Model), shortAddress(d), remark(d, username))
			continue
		}
		name := d.Name()
		if names[name] {
			name += "-" + strings.ReplaceAll(shortAddress(d), ":", "-")
		}
		names[name] = true
		fmt.Fprintf(&targets, "  - name: %s # %s\n    address: %s\n    # mac: %s # instead of the address, to follow the plug through DHCP\n", name, about, shortAddress(d), d.MAC)
		if d.Protocol() == tapo.Passthrough {
			targets.WriteString("    # allow_passthrough: true # read docs/security.md first\n")
		}
	}
	if targets.Len() == 0 {
		b.WriteString("\ntargets: []\n")
	} else {
		b.WriteString("\ntargets:\n" + targets.String())
	}
	if !slices.Equal(asked, []string{discovery.Broadcast}) {
		b.WriteString("\n# Where plugs that are listed by their mac are searched for.\ndiscovery:\n  addresses: [" + strings.Join(asked, ", ") + "]\n")
	}
	if others.Len() > 0 {
		b.WriteString("\n# Found as well:\n" + others.String())
	}
	return b.String()
}
