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
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tapo-exporter/tapo_exporter/internal/check"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/internal/rejections"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

// errChecks says that a target has failed, which its report has told already.
var errChecks = errors.New("not all targets can be read")

// checkCommand is the command check.
type checkCommand struct {
	configFlags

	targets    []string
	auth       string
	timeout    time.Duration
	format     string
	rejections string
}

func (c *checkCommand) register(app *kingpin.Application) {
	cmd := app.Command("check", "Try each target step by step, and say what to do about what fails.")
	c.configFlags.register(cmd)
	cmd.Flag("auth", "The account for targets that are not listed, if there are several.").StringVar(&c.auth)
	cmd.Flag("timeout", "The longest that a target may take.").Default("10s").DurationVar(&c.timeout)
	cmd.Flag("format", "text, or json for scripts.").Default("text").EnumVar(&c.format, "text", "json")
	cmd.Flag("rejections.file", "Where it is remembered which plugs have refused logins, as for serve.").Default(defaultRejections()).StringVar(&c.rejections)
	cmd.Arg("target", "Names or addresses; all listed targets where none is given.").StringsVar(&c.targets)
}

// run checks the targets, several at a time, and reports in their order.
func (c *checkCommand) run(ctx context.Context, logger *slog.Logger, stdout io.Writer) error {
	if c.timeout <= 0 {
		return errUsage("--timeout must be positive")
	}
	cfg, err := config.Load(c.path(), os.LookupEnv)
	if err != nil {
		return c.explain(err)
	}
	targets, err := c.choose(ctx, cfg)
	if err != nil {
		return err
	}
	checker := &check.Checker{Config: cfg, Timeout: c.timeout}
	if c.rejections != "" {
		checker.Rejections = rejections.Open(c.rejections, logger)
	}
	const atATime = 8
	slots := make(chan struct{}, atATime)
	results := make([]chan check.Report, len(targets))
	for i := range targets {
		results[i] = make(chan check.Report, 1)
	}
	go func() {
		for i, t := range targets {
			slots <- struct{}{}
			go func() {
				defer func() { <-slots }()
				results[i] <- checker.Target(ctx, t)
			}()
		}
	}()
	reports := make([]check.Report, len(targets))
	var failed []string
	for i := range targets {
		reports[i] = <-results[i]
		if !reports[i].OK {
			failed = append(failed, reports[i].Target)
		}
		if c.format == "text" {
			if i > 0 {
				fmt.Fprintln(stdout)
			}
			if err := reports[i].Write(stdout, isTerminal(stdout)); err != nil {
				return err
			}
		}
	}
	switch {
	case c.format == "text" && len(targets) > 1:
		fmt.Fprintf(stdout, "\n%d of %d targets are good", len(targets)-len(failed), len(targets))
		if len(failed) > 0 {
			fmt.Fprintf(stdout, "; not good: %s", strings.Join(failed, ", "))
		}
		fmt.Fprintln(stdout)
	case c.format == "json":
		out := json.NewEncoder(stdout)
		out.SetIndent("", "  ")
		if err := out.Encode(reports); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return errChecks
	}
	return nil
}

// choose returns the targets that are named, or all that are listed or found.
func (c *checkCommand) choose(ctx context.Context, cfg *config.Config) ([]config.Target, error) {
	if c.auth != "" {
		if _, known := cfg.Auths[c.auth]; !known {
			return nil, errUsage(fmt.Sprintf("unknown --auth %q", c.auth))
		}
	}
	if len(c.targets) == 0 {
		return c.all(ctx, cfg)
	}
	var targets []config.Target
	for _, name := range c.targets {
		t, err := c.target(cfg, name)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// all returns the targets that are listed and, where discovery is enabled, those
// that it finds.
func (c *checkCommand) all(ctx context.Context, cfg *config.Config) ([]config.Target, error) {
	targets := slices.Clone(cfg.Targets)
	if d := cfg.Discovery; d.Enabled {
		credentials := cfg.Auths[d.Auth].Credentials()
		err := discovery.Search{Addresses: d.Addresses, Timeout: check.SearchTime}.Run(ctx, func(found discovery.Device) {
			known := slices.ContainsFunc(targets, func(t config.Target) bool { return t.MAC == found.MAC || t.Address == shortAddress(found) })
			if found.IsPlug() && found.MayBelongTo(credentials.Username) && !known {
				targets = append(targets, config.Target{Name: found.Name(), MAC: found.MAC, Auth: d.Auth, Credentials: credentials})
			}
		})
		if err != nil {
			return nil, fmt.Errorf("cannot search: %w", err)
		}
		if len(targets) == 0 {
			return nil, errors.New("discovery has found no plug: see `" + program + " discover`")
		}
	}
	if len(targets) == 0 {
		return nil, errors.New("no targets are listed: name an address, or see `" + program + " discover`")
	}
	return targets, nil
}

// target returns the target of a name, an address or a MAC address. Whoever runs
// the command may name any plug.
func (c *checkCommand) target(cfg *config.Config, name string) (config.Target, error) {
	mac := tapo.ParseMAC(name)
	t, listed := cfg.Target(name)
	for _, other := range cfg.Targets {
		if !listed && mac != "" && other.MAC == mac {
			t, listed = other, true
		}
	}
	if listed {
		if c.auth != "" && c.auth != t.Auth {
			return t, errUsage(fmt.Sprintf("target %q has auth %q, not %q", t.Name, t.Auth, c.auth))
		}
		return t, nil
	}
	if _, err := tapo.ParseAddress(name); err != nil || mac == "" && !strings.ContainsAny(name, ".:") && name != "localhost" {
		names := make([]string, len(cfg.Targets))
		for i, t := range cfg.Targets {
			names[i] = strconv.Quote(t.Name)
		}
		return t, errUsage(fmt.Sprintf("target %q is neither an address nor listed: %s", name, cmp.Or(strings.Join(names, " "), "nothing is")))
	}
	auth := c.auth
	if auth == "" {
		auth, _ = cfg.OnlyAuth()
	}
	if auth == "" {
		return t, errUsage("--auth is missing, and there are several accounts")
	}
	t = config.Target{Name: name, MAC: mac, Auth: auth, Credentials: cfg.Auths[auth].Credentials()}
	if mac == "" {
		t.Address = name
	}
	return t, nil
}

// isTerminal reports whether what is written goes to a terminal that shows
// colours.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
