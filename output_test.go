// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestWriteOutput: a file has its old content until it has all of the new, and no
// other file stays beside it.
func TestWriteOutput(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	holds := func(want string) {
		t.Helper()
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	errHalf := errors.New("half way")
	write := func(result error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, "new")
			holds("old")
			return errors.Join(err, result)
		}
	}
	if err := writeOutput(path, io.Discard, write(errHalf)); !errors.Is(err, errHalf) {
		t.Error(err)
	}
	holds("old")
	if err := checkOutput(path); err != nil {
		t.Error(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("file", link); err != nil {
		t.Skip(err) // only on Windows, where one needs a privilege for it
	}
	if err := writeOutput(link, io.Discard, write(nil)); err != nil {
		t.Error(err)
	}
	holds("new")
	if info, err := os.Lstat(path); err != nil || os.PathSeparator == '/' && info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
	if err := writeOutput(os.DevNull, io.Discard, func(w io.Writer) error {
		_, err := io.WriteString(w, "x")
		return err
	}); err != nil {
		t.Error(err)
	}
	if info, err := os.Lstat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
