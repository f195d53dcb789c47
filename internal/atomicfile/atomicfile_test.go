// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// holds checks what a directory has: one file.
func holds(t *testing.T, path, want string, mode os.FileMode) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || os.PathSeparator == '/' && info.Mode() != mode {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	text := func(s string, result error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, s)
			return errors.Join(err, result)
		}
	}
	if err := Write(path, 0o600, text("old", nil)); err != nil {
		t.Fatal(err)
	}
	holds(t, path, "old", 0o600)
	errHalf := errors.New("half way")
	if err := Write(path, 0o644, text("ne", errHalf)); !errors.Is(err, errHalf) {
		t.Error(err)
	}
	holds(t, path, "old", 0o600)
	if err := Check(path); err != nil {
		t.Error(err)
	}
	holds(t, path, "old", 0o600)
	if err := Write(path, 0o644, text("new", nil)); err != nil {
		t.Error(err)
	}
	holds(t, path, "new", 0o644)
}

// TestNoDirectory: a file has nothing below it, whoever runs the test.
func TestNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(file, "below")
	if err := Check(below); err == nil {
		t.Error("a file below a file seems possible")
	}
	if err := Write(below, 0o600, func(io.Writer) error { return nil }); err == nil {
		t.Error("there is a file below a file")
	}
}

// TestRenameFails: nothing is left beside what cannot be replaced.
func TestRenameFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "directory")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, 0o600, func(io.Writer) error { return nil }); err == nil {
		t.Error("a directory was replaced by a file")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 || !entries[0].IsDir() {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestRemoveLeftovers removes what Write creates, and nothing else.
func TestRemoveLeftovers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	leftover, err := create(path)
	if err != nil || leftover.Close() != nil {
		t.Fatal(err)
	}
	others := []string{"file", "file.1", "file.lock", "file..tmp", "file.1a.tmp", "file.json.1.tmp", "other.1.tmp", "xfile.1.tmp"}
	for _, name := range others {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := RemoveLeftovers(path); err != nil {
		t.Error(err)
	}
	for _, name := range others {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(leftover.Name()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", leftover.Name(), err)
	}
	if err := RemoveLeftovers(filepath.Join(path, "below")); err == nil {
		t.Error("a file has leftovers below it")
	}
}
