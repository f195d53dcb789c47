// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tapo-exporter/tapo_exporter/internal/check"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/internal/rejections"
	"github.com/tapo-exporter/tapo_exporter/tapo"
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
	targets, err := c.choose(cfg)
	if err != nil {
		return err
	}
	checker := check.Checker{Config: cfg, Timeout: c.timeout}
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
	reports, failed := make([]check.Report, len(targets)), false
	for i := range targets {
		reports[i] = <-results[i]
		failed = failed || !reports[i].OK
		if c.format == "text" {
			if err := reports[i].Write(stdout, isTerminal(stdout)); err != nil {
				return err
			}
		}
	}
	if c.format == "json" {
		out := json.NewEncoder(stdout)
		out.SetIndent("", "  ")
		if err := out.Encode(reports); err != nil {
			return err
		}
	}
	if failed {
		return errChecks
	}
	return nil
}

// choose returns the targets that are named, or all that are listed. Whoever
// runs the command may name any address.
func (c *checkCommand) choose(cfg *config.Config) ([]config.Target, error) {
	if c.auth != "" {
		if _, known := cfg.Auths[c.auth]; !known {
			return nil, errUsage(fmt.Sprintf("unknown --auth %q", c.auth))
		}
	}
	if len(c.targets) == 0 {
		if len(cfg.Targets) == 0 {
			return nil, errors.New("no targets are listed: name an address, or see `" + program + " discover`")
		}
		return cfg.Targets, nil
	}
	var targets []config.Target
	for _, name := range c.targets {
		t, listed := cfg.Target(name)
		if !listed {
			if _, err := tapo.ParseAddress(name); err != nil {
				return nil, errUsage(fmt.Sprintf("target %q is neither listed nor an address", name))
			}
			auth := c.auth
			if auth == "" {
				auth, _ = cfg.OnlyAuth()
			}
			if auth == "" {
				return nil, errUsage("--auth is missing, and there are several accounts")
			}
			t = config.Target{Name: name, Address: name, Auth: auth, Credentials: cfg.Auths[auth].Credentials()}
		}
		targets = append(targets, t)
	}
	return targets, nil
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
