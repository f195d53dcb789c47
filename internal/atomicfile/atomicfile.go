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
)

// Write makes path a file with a mode and with what write writes. The directory
// must exist. On an error a file that was there stays as it was.
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

// create returns a new file beside path, on the same file system, which only its
// owner can read.
func create(path string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
}
