// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Command tapo_exporter is a Prometheus exporter for TP-Link Tapo plugs. It
// follows the multi-target exporter pattern: Prometheus names a plug, and the
// exporter reads it over a cached session and answers with its state, power and
// energy.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	_ "time/tzdata" // plugs name their time zone, and a container may have no database

	"github.com/alecthomas/kingpin/v2"
	"github.com/go-kit/log"
	"github.com/prometheus/common/promslog"
	promslogflag "github.com/prometheus/common/promslog/flag"
	"github.com/prometheus/common/version"
	sloggokit "github.com/tjhop/slog-gokit"

	"github.com/tapo-exporter/tapo_exporter/tapo/safetext"
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

// run is main with parameters that tests replace. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := kingpin.New(program, "Prometheus exporter for TP-Link Tapo plugs. The account may come from TAPO_USERNAME and TAPO_PASSWORD or TAPO_PASSWORD_FILE instead of a file.").UsageWriter(stdout).ErrorWriter(stderr).UsageTemplate(kingpin.LongHelpTemplate)
	app.HelpFlag.Short('h')
	app.Version(version.Print(program))
	logConfig := &promslog.Config{}
	promslogflag.AddFlags(app, logConfig)

	var s serveCommand
	serve := s.register(app)
	if !completesCommand(args) {
		serve.Default()
	}
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
			err = s.run(ctx, logger, stdout)
		}
	}
	if _, usage := errors.AsType[errUsage](err); usage {
		fmt.Fprintf(stderr, "%s: error: %s, try --help\n", program, err)
		return exitUsage
	}
	if err != nil {
		if !errors.Is(err, errChecks) && !errors.Is(err, errBackfill) {
			fmt.Fprintf(stderr, "%s: error: %s\n", program, safetext.CleanLines(err.Error()))
		}
		return exitFailure
	}
	return exitOK
}

// flagsFirst returns a hint for an error about a command that comes after flags:
// kingpin takes those for flags of the command serve.
func flagsFirst(app *kingpin.Application, err error) string {
	for _, cmd := range app.Model().Commands {
		if err.Error() == "unexpected "+cmd.Name {
			return ": the command goes before its flags"
		}
	}
	return ""
}

// completesCommand reports whether a shell completes the name of a command.
// Kingpin lists no commands if one of them is the default.
func completesCommand(args []string) bool {
	return len(args) == 2 && args[0] == "--completion-bash" && !strings.HasPrefix(args[1], "-")
}

// newLogger returns a slog front end over a go-kit/log back end.
func newLogger(w io.Writer, cfg *promslog.Config) *slog.Logger {
	w = log.NewSyncWriter(cleanWriter{w})
	back := log.NewLogfmtLogger(w)
	if cfg.Format.String() == "json" {
		back = log.NewJSONLogger(w)
	}
	return slog.New(sloggokit.NewGoKitHandler(back, cfg.Level))
}

// cleanWriter writes lines of a log without what could change a terminal. Both formats
// escape line feeds in values, and leave most other control characters as they are.
type cleanWriter struct{ io.Writer }

// Write implements [io.Writer].
func (w cleanWriter) Write(line []byte) (int, error) {
	_, err := io.WriteString(w.Writer, safetext.CleanLines(string(line)))
	return len(line), err
}
