// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
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

// run searches, shows the progress on stderr, and prints what it has found.
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
		_, err = io.WriteString(stdout, draft(devices, c.addresses, username).String())
	default:
		err = writeTable(stdout, devices, username)
	}
	if err == nil && len(devices) == 0 {
		return errors.New("nobody has replied" + c.whyNobody())
	}
	return err
}

// whyNobody returns advice on a search that has found nothing.
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

// remark returns why a device is not ready to be read, "" if it is. The username
// may be "".
func remark(d discovery.Device, username string) string {
	switch {
	case strings.HasPrefix(d.Type, "IOT."):
		return "of the older Kasa kind, which this exporter does not read"
	case d.Type == "":
		return "reports no type of device"
	case !d.IsPlug() && d.MAC == "":
		return "no plug, or one that reports no MAC address"
	case !d.IsPlug():
		return "no plug"
	case d.InSetUpMode():
		return "not set up yet: add it in the Tapo app"
	case isForeign(d, username):
		return "of another account"
	case d.Protocol() == tapo.Passthrough:
		return "old firmware: update it, or see allow_passthrough"
	case d.Protocol() != "":
		return ""
	case d.Encryption == "":
		return "announces no protocol: the exporter asks the plug"
	case d.Encryption == "AES":
		return "announces AES, which its new firmware may not speak: the exporter asks the plug"
	}
	return "announces the unknown protocol " + d.Encryption + ": the exporter asks the plug"
}

func isForeign(d discovery.Device, username string) bool {
	return username != "" && !d.MayBelongTo(username)
}

// isTarget reports whether a device can be read with the account of a username, which
// may be "".
func isTarget(d discovery.Device, username string) bool {
	return d.IsPlug() && !d.InSetUpMode() && !isForeign(d, username)
}

func writeTable(w io.Writer, devices []discovery.Device, username string) error {
	if len(devices) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tMODEL\tADDRESS\tMAC\tPROTOCOL\tREMARK")
	for _, d := range devices {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", d.Name(), cmp.Or(fullModel(d), "-"), shortAddress(d), cmp.Or(d.MAC, "-"), cmp.Or(d.Protocol(), "unknown"), remark(d, username))
	}
	return table.Flush()
}

func fullModel(d discovery.Device) string {
	if d.Region == "" || d.Model == "" {
		return d.Model
	}
	return d.Model + "(" + d.Region + ")"
}

// shortAddress leaves out the port that plugs usually have.
func shortAddress(d discovery.Device) string {
	return strings.TrimSuffix(d.Address.String(), ":80")
}

// draft returns a targets.yml with the plugs. Names and addresses are checked or
// made by discovery; all else that strangers have sent is in comments.
func draft(devices []discovery.Device, asked []string, username string) config.Draft {
	hasPassword := os.Getenv("TAPO_PASSWORD")+os.Getenv("TAPO_PASSWORD_FILE") != ""
	d := config.Draft{AccountFromEnvironment: username != "" && hasPassword}
	for _, found := range devices {
		if !isTarget(found, username) {
			d.Others = append(d.Others, fmt.Sprintf("%s at %s: %s", orWhat(found.Model), shortAddress(found), remark(found, username)))
			continue
		}
		about := []string{fullModel(found), found.Hardware, found.Firmware, string(found.Protocol()), remark(found, username)}
		d.Targets = append(d.Targets, config.DraftTarget{
			Name: found.Name(), Address: shortAddress(found), MAC: found.MAC,
			About:       strings.Join(slices.DeleteFunc(about, func(s string) bool { return s == "" }), ", "),
			OldFirmware: found.Protocol() == tapo.Passthrough,
		})
	}
	if !slices.Equal(asked, []string{discovery.Broadcast}) {
		d.Addresses = asked
	}
	return d
}
