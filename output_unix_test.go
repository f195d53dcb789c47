// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// another is a user who is neither root nor whoever runs this.
const another = 54321

// TestLinksOfOthers: backfill writes through no symbolic link of another user, be it
// the file or a directory above it.
func TestLinksOfOthers(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"mine", "sub/mine"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"file": "mine", "directory": "sub", "dangling": "new", "absolute": filepath.Join(dir, "mine"), "fifth": "file", "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"mine": "mine", "sub/mine": "sub/mine", "new": "new", "file": "mine", "directory/mine": "sub/mine", "directory/new": "sub/new",
		"absolute": "mine", "fifth": "mine", "dangling": "new",
	} {
		got, err := followLinks(filepath.Join(dir, path), os.Geteuid())
		if at, _ := filepath.EvalSymlinks(dir); err != nil || strings.TrimPrefix(got, at+"/") != want {
			t.Errorf("%s: %s, %v", path, got, err)
		}
	}
	if _, err := followLinks(filepath.Join(dir, "loop"), os.Geteuid()); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("a loop: %v", err)
	}

	user := another // for whom all of these are another user's
	if os.Geteuid() == 0 {
		for _, link := range []string{"file", "directory", "dangling", "absolute", "fifth"} {
			if err := os.Lchown(filepath.Join(dir, link), another, another); err != nil {
				t.Fatal(err)
			}
		}
		user = 0
	}
	for _, path := range []string{"file", "directory/mine", "directory/new", "dangling", "absolute", "fifth"} {
		path = filepath.Join(dir, path)
		if got, err := followLinks(path, user); err == nil || !strings.Contains(err.Error(), "is a symbolic link of another user") {
			t.Errorf("%s: %s, %v", path, got, err)
		}
		if user != os.Geteuid() {
			continue // only root can give links away
		}
		write := func(w io.Writer) error {
			_, err := io.WriteString(w, "new")
			return err
		}
		if err := checkOutput(path); err == nil {
			t.Errorf("%s is good", path)
		}
		if err := writeOutput(path, io.Discard, write); err == nil {
			t.Errorf("%s is written to", path)
		}
	}
	for _, name := range []string{"mine", "sub/mine"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != "old" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestStandardOutputByName: /dev/stdout is a link of root's to a link to the pipe or file.
func TestStandardOutputByName(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	link := filepath.Join(t.TempDir(), "stdout")
	if err := os.Symlink("/dev/fd/"+strconv.FormatUint(uint64(w.Fd()), 10), link); err != nil {
		t.Fatal(err)
	}
	if err := checkOutput(link); err != nil {
		t.Error(err)
	}
	err = writeOutput(link, io.Discard, func(w io.Writer) error {
		_, err := io.WriteString(w, "new")
		return err
	})
	w.Close()
	if got, _ := io.ReadAll(r); err != nil || string(got) != "new" {
		t.Errorf("%q, %v", got, err)
	}
}
