// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tapo-exporter/tapo_exporter/internal/rejections"
)

// closeTime is how long the end of the program waits for a disk.
const closeTime = 3 * time.Second

// configFlags name the configuration.
type configFlags struct {
	configFile string
	configSet  bool // the user named the file
}

func (f *configFlags) register(cmd *kingpin.CmdClause) {
	cmd.Flag("config.file", "The file with accounts and targets.").Default(defaultConfig).IsSetByUser(&f.configSet).StringVar(&f.configFile)
}

// path returns the file to load, "" if there is no default one: then the
// environment has the configuration.
func (f *configFlags) path() string {
	if _, err := os.Stat(f.configFile); !f.configSet && errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return f.configFile
}

// explain adds advice to an error if there is no configuration at all.
func (f *configFlags) explain(err error) error {
	if err != nil && f.path() == "" {
		return fmt.Errorf("there is no %s here (see targets.yml.example, or try --demo): %w", f.configFile, err)
	}
	return err
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

// closeRejections stores what has been refused last, also after a signal.
func closeRejections(ctx context.Context, file *rejections.File, logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if err := file.Close(ctx); err != nil {
		logger.Warn("Logins that plugs have refused last are not stored: see --rejections.file", "err", err)
	}
}
