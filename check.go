// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"golang.org/x/sync/errgroup"

	"github.com/tapo-exporter/tapo_exporter/internal/check"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/internal/rejections"
)

// errChecks says that a target has failed. Its report has said why.
var errChecks = errors.New("not all targets can be read")

// checkCommand is the command check.
type checkCommand struct {
	configFlags
	targetArgs

	timeout    time.Duration
	format     string
	rejections string
}

func (c *checkCommand) register(app *kingpin.Application) {
	cmd := app.Command("check", "Try each target step by step, and say what to do about what fails.")
	c.configFlags.register(cmd)
	cmd.Flag("timeout", "The longest that a target may take.").Default("10s").DurationVar(&c.timeout)
	cmd.Flag("format", "text, or json for scripts.").Default("text").EnumVar(&c.format, "text", "json")
	cmd.Flag("rejections.file", "The file that stores which logins plugs have refused; serve can use it at the same time.").Default(defaultRejections()).StringVar(&c.rejections)
	c.targetArgs.register(cmd, "Names or addresses; all listed targets where none is given.")
}

// run checks the targets, several at a time, and reports in their order.
func (c *checkCommand) run(ctx context.Context, logger *slog.Logger, stdout io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if c.timeout <= 0 {
		return errUsage("--timeout must be positive")
	}
	cfg, err := config.Load(c.path(), os.LookupEnv)
	if err != nil {
		return c.explain(err)
	}
	targets, err := c.choose(ctx, cfg, logger)
	if err != nil {
		return err
	}
	checker := &check.Checker{Config: cfg, Timeout: c.timeout}
	if c.rejections != "" {
		file := rejections.Open(ctx, c.rejections, logger)
		defer closeRejections(ctx, file, logger)
		checker.Rejections = file
	}
	reports := []check.Report{} // not null in JSON
	for report := range checkAll(ctx, checker, targets) {
		if ctx.Err() != nil {
			continue // the checks under way still have to store what plugs have refused
		}
		if c.format == "text" {
			if len(reports) > 0 {
				fmt.Fprintln(stdout)
			}
			if err := report.Write(stdout, isTerminal(stdout)); err != nil {
				return err
			}
		}
		reports = append(reports, report)
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return c.sumUp(stdout, reports)
}

// checkAll checks targets, several at a time. The reports come in the order of the
// targets, each as soon as it can.
func checkAll(ctx context.Context, checker *check.Checker, targets []config.Target) iter.Seq[check.Report] {
	results := make([]chan check.Report, len(targets))
	for i := range targets {
		results[i] = make(chan check.Report, 1)
	}
	go func() {
		var group errgroup.Group
		group.SetLimit(plugsAtATime)
		for i, t := range targets {
			group.Go(func() error {
				results[i] <- checker.Target(ctx, t)
				return nil
			})
		}
	}()
	return func(yield func(check.Report) bool) {
		for _, result := range results {
			if !yield(<-result) {
				return
			}
		}
	}
}

// sumUp writes what follows the reports. The error is errChecks if a target cannot
// be read.
func (c *checkCommand) sumUp(stdout io.Writer, reports []check.Report) error {
	var failed []string
	for i := range reports {
		if !reports[i].OK {
			failed = append(failed, reports[i].Target)
		}
	}
	switch {
	case c.format == "text" && len(reports) > 1:
		fmt.Fprintf(stdout, "\n%d of %d targets are good", len(reports)-len(failed), len(reports))
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
