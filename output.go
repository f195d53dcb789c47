// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// toStdout is the output that is not a file.
const toStdout = "-"

// checkOutput reports early what would keep a file from being written.
func checkOutput(path string) error {
	if path == toStdout {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("--output %s is a directory", path)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	return nil
}

// writeOutput writes to a file in one step, so that it is never half written; what
// is no regular file, such as a pipe, is written to as it is.
func writeOutput(path string, stdout io.Writer, write func(io.Writer) error) error {
	if path == toStdout {
		return write(stdout)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		file, err := os.OpenFile(path, os.O_WRONLY, 0) //nolint:gosec // which the user names
		if err != nil {
			return err
		}
		return errors.Join(write(file), file.Close())
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = write(temporary)
	if err == nil {
		err = temporary.Chmod(0o644) // who imports it may be another user
	}
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}
