// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package rejections

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestOwner: what root's check writes belongs to the service, as the directory does.
func TestOwner(t *testing.T) {
	dir := t.TempDir()
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, 65532, 65532); err != nil {
			t.Fatal(err)
		}
	}
	owner := func(path string) uint32 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Uid
	}
	f, _ := opened(t, filepath.Join(dir, "rejections.json"))
	f.Save("a", []byte("1"))
	f.mustSync(t)
	for _, path := range []string{f.path, f.path + ".lock"} {
		if got, want := owner(path), owner(dir); got != want {
			t.Errorf("%s belongs to %d, its directory to %d", path, got, want)
		}
	}
}

// TestLinks that another user has placed are not followed.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	for name, target := range map[string]string{"missing": filepath.Join(dir, "other"), "there": filepath.Join(t.TempDir(), "other")} {
		path := filepath.Join(dir, name)
		if name == "there" {
			writeFile(t, target, "theirs")
		}
		if err := os.Symlink(target, path+".lock"); err != nil {
			t.Fatal(err)
		}
		f, _ := opened(t, path)
		if f.Err() == nil {
			t.Errorf("%s: the lock's link was followed", name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "other")); err == nil {
		t.Error("a file was made where the link leads")
	}
}
