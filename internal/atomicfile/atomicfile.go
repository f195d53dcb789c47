// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package atomicfile writes files in one step: readers find the old content or
// all of the new one, also after a crash.
package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// suffix ends the names of temporary files.
const suffix = ".tmp"

// Write makes path a file with a mode and with what write writes, which gets an
// [*os.File]. The directory must exist. On an error a file that was there stays as it was.
func Write(path string, mode os.FileMode, write func(io.Writer) error) error {
	temporary, err := create(path)
	if err != nil {
		return err
	}
	if err = write(temporary); err == nil {
		err = errors.Join(temporary.Chmod(mode), temporary.Sync())
	}
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}

// Check reports early what would keep [Write] from writing to path.
func Check(path string) error {
	temporary, err := create(path)
	if err != nil {
		return err
	}
	return errors.Join(temporary.Close(), os.Remove(temporary.Name()))
}

// RemoveLeftovers removes what an earlier process that was killed has left beside path.
// Nobody may be writing path.
func RemoveLeftovers(path string) error {
	files, err := os.ReadDir(filepath.Dir(path))
	for _, f := range files {
		random, ours := strings.CutPrefix(f.Name(), filepath.Base(path)+".")
		random, temporary := strings.CutSuffix(random, suffix)
		if ours && temporary && random != "" && strings.Trim(random, "0123456789") == "" {
			err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(path), f.Name())))
		}
	}
	return err
}

// create returns a new file beside path, on the same file system, which only its
// owner can read. It follows no symbolic link.
func create(path string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*"+suffix)
}
