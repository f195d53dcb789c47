// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tapo-exporter/tapo_exporter/internal/atomicfile"
)

// toStdout is the output that is not a file.
const toStdout = "-"

// checkOutput returns early the error with which writing a file would fail.
func checkOutput(path string) error {
	if path == toStdout {
		return nil
	}
	if path == "" {
		return errUsage("--output must be a file, or - for the standard output")
	}
	path, direct := destination(path)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("--output: %s is a directory", path)
	}
	if direct {
		return nil
	}
	if err := atomicfile.Check(path); err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	return nil
}

// destination follows symbolic links. It reports whether the output is no regular
// file, such as a pipe, and so must be written to directly.
func destination(path string) (to string, direct bool) {
	to, err := filepath.EvalSymlinks(path)
	if err != nil {
		_, err := os.Lstat(path)
		return path, err == nil // a link to a file without a name, such as /dev/stdout
	}
	info, err := os.Stat(to)
	return to, err == nil && !info.Mode().IsRegular()
}

// writeOutput writes to a file in one step, so that it is never half written. A
// file that was there keeps its permissions.
func writeOutput(path string, stdout io.Writer, write func(io.Writer) error) error {
	if path == toStdout {
		return write(stdout)
	}
	path, direct := destination(path)
	if direct {
		file, err := os.OpenFile(path, os.O_WRONLY, 0) //nolint:gosec // the user names it
		if err != nil {
			return err
		}
		return errors.Join(write(file), file.Close())
	}
	mode := os.FileMode(0o644) // another user may import it
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	return atomicfile.Write(path, mode, write)
}
