// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"
	webflag "github.com/prometheus/exporter-toolkit/web/kingpinflag"

	"github.com/tapo-exporter/tapo_exporter/collector"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/internal/rejections"
)

// serveCommand is the command serve.
type serveCommand struct {
	configFlags

	configCheck   bool
	timeout       time.Duration
	timeoutOffset time.Duration
	historyLimit  int
	rejections    string
	demo          bool
	web           *web.FlagConfig
}

// register adds the command, which main makes the default one.
func (c *serveCommand) register(app *kingpin.Application) *kingpin.CmdClause {
	cmd := app.Command("serve", "Serve metrics: the command that runs where none is given.")
	c.configFlags.register(cmd)
	cmd.Flag("config.check", "Load the configuration, report, and exit with 0 or 1.").BoolVar(&c.configCheck)
	cmd.Flag("timeout", "The longest that a probe may take.").Default("10s").DurationVar(&c.timeout)
	cmd.Flag("timeout-offset", "What is taken off the timeout that Prometheus sends, so that the answer arrives in time.").Default("0.5s").DurationVar(&c.timeoutOffset)
	cmd.Flag("history.limit", "How many recent probes are kept for the pages.").Default("100").IntVar(&c.historyLimit)
	cmd.Flag("rejections.file", "The file that stores which logins plugs have refused, so that a restart does not try them again. Empty stores nothing.").
		Default(defaultRejections()).StringVar(&c.rejections)
	cmd.Flag("demo", "Serve simulated plugs; needs no configuration.").BoolVar(&c.demo)
	c.web = webflag.AddFlags(cmd, ":9782")
	return cmd
}

// run serves, or checks the configuration.
func (c *serveCommand) run(ctx context.Context, logger *slog.Logger, stdout io.Writer) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.configCheck {
		return c.checkConfig(stdout)
	}
	return c.serveHTTP(ctx, logger, stdout)
}

func (c *serveCommand) check() error {
	switch {
	case c.timeout <= 0:
		return errUsage("--timeout must be positive")
	case c.timeoutOffset < 0:
		return errUsage("--timeout-offset must not be negative")
	case c.historyLimit < 0 || c.historyLimit > 100_000:
		return errUsage("--history.limit must be from 0 to 100000")
	case c.demo && (c.configSet || c.configCheck):
		return errUsage("--demo takes no configuration")
	}
	return nil
}

// checkConfig is --config.check.
func (c *serveCommand) checkConfig(stdout io.Writer) error {
	cfg, err := config.Load(c.path(), os.LookupEnv)
	if err != nil {
		return c.explain(err)
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintln(stdout, "warning:", w)
	}
	if err := web.Validate(*c.web.WebConfigFile); err != nil {
		return fmt.Errorf("--web.config.file: %w", err)
	}
	searched := ""
	if cfg.Discovery.Enabled {
		searched = ", and those that discovery finds"
	}
	fmt.Fprintf(stdout, "the configuration is good: %d accounts, %d targets%s\n", len(cfg.Auths), len(cfg.Targets), searched)
	return nil
}

// serveHTTP serves until ctx ends or a signal arrives. It then waits for the probes
// in progress.
func (c *serveCommand) serveHTTP(ctx context.Context, logger *slog.Logger, stdout io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()

	store := config.NewStore(c.path, logger)
	var simulated *demoHome
	if c.demo {
		var err error
		if simulated, err = startDemo(); err != nil {
			return err
		}
		defer simulated.close()
		store = config.NewStaticStore(simulated.config, logger)
	}
	opts := collector.Options{
		Store: store, Timeout: c.timeout, TimeoutOffset: c.timeoutOffset, HistoryLimit: c.historyLimit, Logger: logger,
	}
	switch {
	case c.demo:
	case c.rejections == "":
		logger.Warn("Logins that plugs refuse are not remembered over restarts: see --rejections.file")
	default:
		file := rejections.Open(ctx, c.rejections, logger)
		defer closeRejections(ctx, file, logger) // once no probe is under way
		opts.Rejections, opts.RejectionsErr = file, file.Err
	}
	exporter := collector.New(opts)
	server := newServer(exporter, c.timeout, logger)
	if simulated != nil {
		server = newServer(simulated.handler(exporter), c.timeout, logger)
		var once sync.Once
		server.BaseContext = func(l net.Listener) context.Context { // called when it listens
			once.Do(func() { simulated.welcome(stdout, l.Addr()) })
			return context.Background()
		}
	}
	if err := store.Reload(); err != nil {
		return c.explain(err)
	}
	reloadOnHangup(ctx, store, logger)
	go exporter.Run(ctx)

	logger.Info("Starting "+program, "version", version.Info())
	failed := make(chan error, 1)
	go func() { failed <- web.ListenAndServe(&server.Server, c.web, logger) }()
	select {
	case err := <-failed:
		return fmt.Errorf("cannot serve: %w", err)
	case <-ctx.Done():
	}
	stop() // a second signal ends the program at once
	logger.Info("Stopping, probes under way get their answers")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout+5*time.Second)
	defer cancel()
	err := errors.Join(server.Shutdown(ctx), exporter.Close(ctx)) // a client that has gone leaves its read behind
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// reloadOnHangup reloads the configuration on SIGHUP until ctx ends.
func reloadOnHangup(ctx context.Context, store *config.Store, logger *slog.Logger) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangup)
		for {
			select {
			case <-hangup:
				if err := store.Reload(); err != nil {
					logger.Error("Reload failed, the old configuration stays", "err", err)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
}
