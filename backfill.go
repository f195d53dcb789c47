// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"golang.org/x/sync/errgroup"

	"github.com/tapo-exporter/tapo_exporter/collector"
	"github.com/tapo-exporter/tapo_exporter/internal/backfill"
	"github.com/tapo-exporter/tapo_exporter/internal/check"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/internal/plugs"
	"github.com/tapo-exporter/tapo_exporter/internal/rejections"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

const (
	// headTime is the time span of Prometheus's head block. Promtool's documentation
	// warns against imports into it.
	headTime = 3 * time.Hour
	// plugTime is the longest that reading one plug's history may take.
	plugTime = 5 * time.Minute
)

// errBackfill says that a plug has not been read. The progress has said why.
var errBackfill = errors.New("not all targets have been read")

// backfillCommand is the command backfill.
type backfillCommand struct {
	configFlags
	targetArgs

	all        bool
	from, to   string
	resolution string
	output     string
	job        string
	overlap    string
	rejections string

	locks    plugs.Locks
	cfg      *config.Config
	wanted   backfill.Range
	server   *backfill.Prometheus // nil if no overlap is to be checked
	progress progress
}

// resolutions are the values of --resolution.
var resolutions = map[string]tapo.Interval{"5m": tapo.FiveMinutes, "1h": tapo.Hourly, "1d": tapo.Daily, "30d": tapo.Monthly}

func (c *backfillCommand) register(app *kingpin.Application) {
	cmd := app.Command("backfill", "Write what plugs remember of their energy and power as OpenMetrics, for Prometheus to import.")
	c.configFlags.register(cmd)
	const bounds = "a time (2026-11-01T18:00:00Z), a date (2026-11-01, which begins at the plug's midnight), or how long ago (30d)"
	cmd.Flag("from", "The first samples: "+bounds+". Default is all that the plug remembers.").StringVar(&c.from)
	cmd.Flag("to", "The last samples, likewise. Default is the full hour three hours ago: what is younger is in Prometheus's head block, into which it is not safe to import.").
		StringVar(&c.to)
	cmd.Flag("resolution", "The finest that is used of what plugs remember: powers by 5m, energies by 1h, 1d or 30d.").Default("5m").EnumVar(&c.resolution, "5m", "1h", "1d", "30d")
	cmd.Flag("output", "The file to write, or - for the standard output.").Default("-").StringVar(&c.output)
	cmd.Flag("all", "Read all targets that are listed, and those that discovery finds.").BoolVar(&c.all)
	cmd.Flag("job", "The job that the series belong to: job_name in prometheus.yml.").Default("tapo").StringVar(&c.job)
	cmd.Flag("check-overlap", "The URL of the Prometheus that will import this: leave out the hours of which it has something.").PlaceHolder("URL").StringVar(&c.overlap)
	cmd.Flag("rejections.file", "The file that stores which logins plugs have refused; serve can use it at the same time.").Default(defaultRejections()).StringVar(&c.rejections)
	c.targetArgs.register(cmd, "Names or addresses.")
}

// run reads the targets, several at a time, and writes all of their histories at
// once. It writes nothing of a target whose history could not be read completely.
func (c *backfillCommand) run(ctx context.Context, logger *slog.Logger, stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := c.check(); err != nil {
		return err
	}
	var err error
	if c.cfg, err = config.Load(c.path(), os.LookupEnv); err != nil {
		return c.explain(err)
	}
	targets, err := c.choose(ctx, c.cfg, logger)
	if err != nil {
		return err
	}
	if c.rejections != "" {
		file := rejections.Open(ctx, c.rejections, logger)
		defer closeRejections(ctx, file, logger)
		c.locks.Rejections = file
	}
	if c.server != nil {
		if err := c.server.Check(ctx); err != nil {
			return fmt.Errorf("--check-overlap: %w", err)
		}
	}
	if c.wanted.To.In(time.UTC).After(c.wanted.Now.Add(-headTime)) {
		fmt.Fprintln(stderr, "--to reaches into the last three hours, which it is not safe to import into Prometheus, whether it runs or not: see docs/backfill.md")
	}
	c.progress = progress{w: stderr, live: isTerminal(stderr), plugs: len(targets)}
	histories, failed := c.readAll(ctx, targets)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted; nothing has been written")
	case len(histories) == 0:
		return errBackfill
	}
	err = writeOutput(c.output, stdout, func(w io.Writer) error { return collector.WriteOpenMetrics(w, c.job, histories) })
	if err != nil {
		return err
	}
	if len(targets) > 1 {
		fmt.Fprintf(stderr, "%d of %d targets written\n", len(histories), len(targets))
	}
	if failed {
		return errBackfill
	}
	return nil
}

// readAll reads targets, several at a time, reports the progress, and returns the
// histories of those that could be read. With --all a plug that stores no history
// has not failed: many homes have plugs without a meter.
func (c *backfillCommand) readAll(ctx context.Context, targets []config.Target) (histories []*collector.Past, failed bool) {
	histories = make([]*collector.Past, len(targets))
	group := errgroup.Group{}
	group.SetLimit(plugsAtATime)
	for i, t := range targets {
		group.Go(func() error {
			outlets, err := c.readNew(ctx, t)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			c.progress.done(t.Name, outlets, err)
			switch {
			case err == nil:
				histories[i] = &collector.Past{Target: t, Outlets: outlets}
			case c.all && errors.Is(err, tapo.ErrNoHistory):
				return nil
			}
			return err
		})
	}
	failed = group.Wait() != nil
	return slices.DeleteFunc(histories, func(p *collector.Past) bool { return p == nil }), failed
}

// check checks and reads the flags.
func (c *backfillCommand) check() (err error) {
	c.wanted = backfill.Range{Finest: resolutions[c.resolution], Now: time.Now()}
	switch {
	case c.all && len(c.names) > 0:
		return errUsage("name targets, or give --all, but not both")
	case !c.all && len(c.names) == 0:
		return errUsage("name a target, or give --all")
	case c.job == "":
		return errUsage("--job must not be empty: all series that Prometheus scrapes have one")
	}
	if c.overlap != "" {
		server, err := url.Parse(c.overlap)
		if err != nil || server.Scheme != "http" && server.Scheme != "https" || server.Host == "" { // perhaps with a password in it, so it is not quoted
			return errUsage("--check-overlap must be the URL of a Prometheus, such as http://localhost:9090")
		}
		c.server = &backfill.Prometheus{URL: server, Names: collector.BackfillNames()}
	}
	if c.from != "" {
		if c.wanted.From, err = backfill.ParseBound(c.from, c.wanted.Now); err != nil {
			return errUsage("--from " + err.Error())
		}
	}
	c.wanted.To = backfill.At(c.wanted.Now.Add(-headTime).Truncate(time.Hour))
	if c.to != "" {
		if c.wanted.To, err = backfill.ParseBound(c.to, c.wanted.Now); err != nil {
			return errUsage("--to " + err.Error())
		}
	}
	if !c.wanted.From.In(time.UTC).Before(c.wanted.To.In(time.UTC)) {
		return errUsage("--from must be before --to, which is " + c.wanted.To.In(time.UTC).Format(time.RFC3339))
	}
	return checkOutput(c.output)
}

// readNew reads a target's plug, and removes what Prometheus has.
func (c *backfillCommand) readNew(ctx context.Context, t config.Target) ([]backfill.Outlet, error) {
	outlets, err := c.read(ctx, t)
	if err != nil || c.server == nil {
		return outlets, err
	}
	err = c.server.RemoveOverlap(ctx, cmp.Or(t.Labels["job"], c.job), t.Name, outlets)
	if err != nil {
		return nil, fmt.Errorf("--check-overlap: %w", err)
	}
	return outlets, nil
}

// read reads a target's plug.
func (c *backfillCommand) read(ctx context.Context, t config.Target) ([]backfill.Outlet, error) {
	ctx, cancel := context.WithTimeout(ctx, plugTime)
	defer cancel()
	if err := plugs.CheckAccount(t); err != nil {
		return nil, err
	}
	var err error
	if t.MAC != "" {
		t.Located = !t.Unlisted
		if t.Address, err = c.find(ctx, t.MAC); err != nil {
			return nil, err
		}
	}
	if t.Address, err = tapo.ParseAddress(t.Address); err != nil {
		return nil, err
	}
	lock := c.locks.At(t.Address)
	if lock.Acquire(ctx) != nil {
		return nil, errors.New("the plug was being read under another name all the time")
	}
	defer lock.Release()
	device, failed := plugs.Open(t, plugs.Options{Guard: lock.Guard, Guesses: c.locks.Guesses(), Trace: tapo.Trace{Exchange: func(tapo.Exchange) { c.progress.request() }}})
	if failed != nil {
		return nil, failed
	}
	defer device.Close()
	return backfill.Read(ctx, device, c.wanted)
}

// find returns the address of a plug that is known by its MAC.
func (c *backfillCommand) find(ctx context.Context, mac string) (string, error) {
	search := discovery.Search{Addresses: c.cfg.Discovery.Addresses, Timeout: check.SearchTime}
	at, err := discovery.Find(ctx, mac, search.Run)
	switch {
	case at != "":
		return at, nil
	case err != nil:
		return "", fmt.Errorf("cannot search: %w", err)
	}
	return "", tapo.NotFound(mac)
}
