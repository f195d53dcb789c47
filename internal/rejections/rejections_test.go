// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package rejections_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/internal/rejections"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

var _ tapo.RejectionStore = (*rejections.File)(nil)

func open(path string) (*rejections.File, *bytes.Buffer) {
	var log bytes.Buffer
	return rejections.Open(path, slog.New(slog.NewTextHandler(&log, nil))), &log
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "below", "rejections.json")
	f, log := open(path)
	if got := f.Load("a"); got != nil {
		t.Errorf("loaded %s of nothing", got)
	}
	f.Save("a", nil)
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was written although nothing was refused")
	}
	f.Save("a", []byte(`{"x":1}`))
	f.Save("b", []byte(`{"x":2}`))
	f.Save("b", nil)
	again, _ := open(path)
	if got := string(again.Load("a")); !strings.Contains(got, `"x"`) {
		t.Errorf("after a restart: %q", got)
	}
	if got := again.Load("b"); got != nil {
		t.Errorf("removed, and after a restart: %q", got)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if log.Len() != 0 {
		t.Errorf("logged: %s", log)
	}
}

// TestTrouble: neither a damaged file nor one that cannot be written keeps
// anything from working.
func TestTrouble(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rejections.json")
	if err := os.WriteFile(path, []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, log := open(path)
	if !strings.Contains(log.String(), "level=WARN") || f.Load("a") != nil {
		t.Errorf("a damaged file: %s", log)
	}
	f.Save("a", []byte("{}"))
	if again, log := open(path); string(again.Load("a")) != "{}" || log.Len() != 0 {
		t.Errorf("not replaced: %s", log)
	}

	if err := os.WriteFile(path, []byte("null"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, _ = open(path)
	f.Save("a", []byte("{}")) // does not panic

	below, log := open(filepath.Join(path, "below-a-file"))
	below.Save("a", []byte("{}"))
	if !strings.Contains(log.String(), "--rejections.file") || string(below.Load("a")) != "{}" {
		t.Errorf("a file that cannot be written: %s", log)
	}
}
