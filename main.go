// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Command tapo_exporter is a Prometheus exporter for TP-Link Tapo plugs. It
// follows the multi-target exporter pattern: Prometheus names a plug, the
// exporter reads it over a session that it keeps, and answers with its state,
// power and energy.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
	_ "time/tzdata" // plugs name their time zone, and a container may have no database

	"github.com/alecthomas/kingpin/v2"
	"github.com/go-kit/log"
	"github.com/prometheus/common/promslog"
	promslogflag "github.com/prometheus/common/promslog/flag"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"
	webflag "github.com/prometheus/exporter-toolkit/web/kingpinflag"
	sloggokit "github.com/tjhop/slog-gokit"

	"github.com/tapo-exporter/tapo_exporter/collector"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/internal/rejections"
)

const (
	program       = "tapo_exporter"
	defaultConfig = "targets.yml"

	exitOK, exitFailure, exitUsage = 0, 1, 2
)

//go:embed VERSION
var versionFile string

func init() {
	if version.Version == "" { // a build without linker flags
		version.Version = strings.TrimSpace(versionFile)
	}
}

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// errUsage is an error in how a command was called.
type errUsage string

func (e errUsage) Error() string { return string(e) }

// configFlags name the configuration.
type configFlags struct {
	configFile string
	configSet  bool // the user named the file
}

func (f *configFlags) register(cmd *kingpin.CmdClause) {
	cmd.Flag("config.file", "The file with accounts and targets.").Default(defaultConfig).IsSetByUser(&f.configSet).StringVar(&f.configFile)
}

// serveFlags are the flags of the command serve.
type serveFlags struct {
	configFlags

	configCheck   bool
	timeout       time.Duration
	timeoutOffset time.Duration
	historyLimit  int
	rejections    string
	demo          bool
	web           *web.FlagConfig
}

// run is main with everything that a test wants to replace. It returns the exit
// code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := kingpin.New(program, "Prometheus exporter for TP-Link Tapo plugs. The account may come from TAPO_USERNAME and TAPO_PASSWORD or TAPO_PASSWORD_FILE instead of a file.").UsageWriter(stdout).ErrorWriter(stderr).UsageTemplate(kingpin.LongHelpTemplate)
	app.HelpFlag.Short('h')
	app.Version(version.Print(program))
	logConfig := &promslog.Config{}
	promslogflag.AddFlags(app, logConfig)

	var f serveFlags
	serve := app.Command("serve", "Serve metrics: the command that runs where none is given.")
	if !completesCommand(args) {
		serve.Default()
	}
	f.register(serve)
	serve.Flag("config.check", "Load the configuration, report, and exit with 0 or 1.").BoolVar(&f.configCheck)
	serve.Flag("timeout", "The longest that a probe may take.").Default("10s").DurationVar(&f.timeout)
	serve.Flag("timeout-offset", "What is taken off the timeout that Prometheus sends, so that the answer arrives in time.").Default("0.5s").DurationVar(&f.timeoutOffset)
	serve.Flag("history.limit", "How many recent probes are kept for the pages.").Default("100").IntVar(&f.historyLimit)
	serve.Flag("rejections.file", "Where it is remembered which plugs have refused logins, so that restarts do not lock them. Empty forgets it.").
		Default(defaultRejections()).StringVar(&f.rejections)
	serve.Flag("demo", "Serve simulated plugs; needs no configuration.").BoolVar(&f.demo)
	f.web = webflag.AddFlags(serve, ":9782")
	var d discoverCommand
	d.register(app)
	var c checkCommand
	c.register(app)
	var b backfillCommand
	b.register(app)

	exit := -1 // set by --help and --version, after which Parse returns as usual
	app.Terminate(func(code int) { exit = code })
	command, err := app.Parse(args)
	if exit >= 0 {
		return exit
	}
	if err != nil {
		err = errUsage(err.Error() + flagsFirst(app, err))
	} else {
		logger := newLogger(stderr, logConfig)
		switch command {
		case "discover":
			err = d.run(ctx, stdout, stderr)
		case "check":
			err = c.run(ctx, logger, stdout)
		case "backfill":
			err = b.run(ctx, logger, stdout, stderr)
		default:
			err = f.run(ctx, logger, stdout)
		}
	}
	if _, usage := errors.AsType[errUsage](err); usage {
		fmt.Fprintf(stderr, "%s: error: %s, try --help\n", program, err)
		return exitUsage
	}
	if err != nil {
		if !errors.Is(err, errChecks) && !errors.Is(err, errBackfill) {
			fmt.Fprintf(stderr, "%s: error: %s\n", program, err)
		}
		return exitFailure
	}
	return exitOK
}

// flagsFirst returns a hint for an error that is about a command after flags,
// which are taken for those of the command serve.
func flagsFirst(app *kingpin.Application, err error) string {
	for _, cmd := range app.Model().Commands {
		if err.Error() == "unexpected "+cmd.Name {
			return ": the command goes before its flags"
		}
	}
	return ""
}

// completesCommand reports whether a shell wants to know what commands there are.
// Kingpin does not tell where one of them is the default.
func completesCommand(args []string) bool {
	return len(args) == 2 && args[0] == "--completion-bash" && !strings.HasPrefix(args[1], "-")
}

// run serves, or checks the configuration.
func (f *serveFlags) run(ctx context.Context, logger *slog.Logger, stdout io.Writer) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.configCheck {
		return checkConfig(*f, stdout)
	}
	return serveHTTP(ctx, *f, logger, stdout)
}

func (f *serveFlags) check() error {
	switch {
	case f.timeout <= 0:
		return errUsage("--timeout must be positive")
	case f.timeoutOffset < 0:
		return errUsage("--timeout-offset must not be negative")
	case f.historyLimit < 0 || f.historyLimit > 100_000:
		return errUsage("--history.limit must be from 0 to 100000")
	case f.demo && (f.configSet || f.configCheck):
		return errUsage("--demo takes no configuration")
	}
	return nil
}

// newLogger returns a slog front end over a go-kit/log back end.
func newLogger(w io.Writer, cfg *promslog.Config) *slog.Logger {
	w = log.NewSyncWriter(w)
	back := log.NewLogfmtLogger(w)
	if cfg.Format.String() == "json" {
		back = log.NewJSONLogger(w)
	}
	return slog.New(sloggokit.NewGoKitHandler(back, cfg.Level))
}

// defaultRejections is a file in the directory that systemd gives the service,
// or else in the user's cache; "" where there is neither.
func defaultRejections() string {
	const name = "rejections.json"
	if state, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); state != "" {
		return filepath.Join(state, name)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, program, name)
}

// path returns the file to load. The default one may be missing, and then
// the environment is all there is.
func (f *configFlags) path() string {
	if _, err := os.Stat(f.configFile); !f.configSet && errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return f.configFile
}

// explain adds to an error what somebody without any configuration needs.
func (f *configFlags) explain(err error) error {
	if err != nil && f.path() == "" {
		return fmt.Errorf("there is no %s here (see targets.yml.example, or try --demo): %w", f.configFile, err)
	}
	return err
}

// checkConfig is --config.check.
func checkConfig(f serveFlags, stdout io.Writer) error {
	c, err := config.Load(f.path(), os.LookupEnv)
	if err != nil {
		return f.explain(err)
	}
	for _, w := range c.Warnings {
		fmt.Fprintln(stdout, "warning:", w)
	}
	if err := web.Validate(*f.web.WebConfigFile); err != nil {
		return fmt.Errorf("--web.config.file: %w", err)
	}
	searched := ""
	if c.Discovery.Enabled {
		searched = ", and those that discovery finds"
	}
	fmt.Fprintf(stdout, "the configuration is good: %d accounts, %d targets%s\n", len(c.Auths), len(c.Targets), searched)
	return nil
}

// serveHTTP serves until ctx ends or a signal asks to stop, then lets probes
// under way have their answers.
func serveHTTP(ctx context.Context, f serveFlags, logger *slog.Logger, stdout io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()

	server := &http.Server{ReadHeaderTimeout: 5 * time.Second}
	store := config.NewStore(f.path, logger)
	var simulated *household
	if f.demo {
		var err error
		if simulated, err = startDemo(); err != nil {
			return err
		}
		defer simulated.close()
		store = config.NewStaticStore(simulated.config, logger)
	}
	opts := collector.Options{
		Store: store, Timeout: f.timeout, TimeoutOffset: f.timeoutOffset, HistoryLimit: f.historyLimit, Logger: logger,
	}
	switch {
	case f.demo:
	case f.rejections == "":
		logger.Warn("Logins that plugs refuse are not remembered over restarts: see --rejections.file")
	default:
		opts.Rejections = rejections.Open(f.rejections, logger)
	}
	exporter := collector.New(opts)
	server.Handler = exporter
	if simulated != nil {
		server.Handler = simulated.handler(server.Handler)
		var once sync.Once
		server.BaseContext = func(l net.Listener) context.Context { // called when it listens
			once.Do(func() { simulated.welcome(stdout, l.Addr()) })
			return context.Background()
		}
	}
	if err := store.Reload(); err != nil {
		return f.explain(err)
	}
	reloadOnHangup(ctx, store, logger)
	go exporter.Run(ctx)

	logger.Info("Starting "+program, "version", version.Info())
	failed := make(chan error, 1)
	go func() { failed <- web.ListenAndServe(server, f.web, logger) }()
	select {
	case err := <-failed:
		return fmt.Errorf("cannot serve: %w", err)
	case <-ctx.Done():
	}
	stop() // a second signal ends the program at once
	logger.Info("Stopping, probes under way get their answers")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.timeout+5*time.Second)
	defer cancel()
	err := server.Shutdown(ctx)
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
