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
	"testing/synctest"
	"time"

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

// TestUnusedEntries are forgotten after 30 days, others never.
func TestUnusedEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "rejections.json")
		f, _ := open(path)
		f.Save("used", []byte(`{"x":1}`))
		f.Save("unused", []byte(`{"x":2}`))
		writes, last := 0, time.Time{}
		for began := time.Now(); time.Since(began) < 29*24*time.Hour; time.Sleep(10 * time.Minute) {
			if f.Load("used") == nil {
				t.Fatal("an entry that is in use was forgotten")
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if !info.ModTime().Equal(last) {
				writes, last = writes+1, info.ModTime()
			}
		}
		if writes > 30 {
			t.Errorf("written %d times in 29 days", writes)
		}
		if again, _ := open(path); again.Load("unused") == nil {
			t.Error("forgotten before its time")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "rejections.json")
		f, _ := open(path)
		f.Save("used", []byte(`{"x":1}`))
		f.Save("unused", []byte(`{"x":2}`))
		time.Sleep(29 * 24 * time.Hour)
		f.Load("used")
		time.Sleep(2 * 24 * time.Hour)
		if again, _ := open(path); again.Load("unused") != nil || again.Load("used") == nil { // loaded
			t.Error("the unused one is kept, or the other is not")
		}
		f.Save("another", []byte(`{}`))
		if f.Load("unused") != nil || f.Load("used") == nil { // written
			t.Error("the unused one is kept, or the other is not")
		}
	})
}

// TestEarlierFile: an entry that has no time counts as used now.
func TestEarlierFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "rejections.json")
		const file = `{"a": {"attempts_left":5}, "b": null, "c": 5, "d": {"used":"yesterday","state":{"x":1}}}`
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		f, log := open(path)
		if got := string(f.Load("a")); got != `{"attempts_left":5}` || f.Load("b") != nil || string(f.Load("d")) != `{"x":1}` || log.Len() > 0 {
			t.Errorf("%s, %s", got, log)
		}
		time.Sleep(29 * 24 * time.Hour)
		f.Save("e", []byte(`{}`))
		if again, _ := open(path); !strings.Contains(string(again.Load("a")), `"attempts_left"`) {
			t.Errorf("after 29 days, %s", again.Load("a"))
		}
	})
}

// TestClockIsSet: an entry that was made before the clock was right is not forgotten when
// it is set.
func TestClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins in the year 2000
		path := filepath.Join(t.TempDir(), "rejections.json")
		file := `{"a": {"used":"` + time.Now().AddDate(26, 0, 0).Format(time.RFC3339) + `","state":{"x":1}}}`
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		f, _ := open(path)
		f.Load("a")
		f.Save("b", []byte(`{}`))
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), "2026-") {
			t.Errorf("%s, %v", data, err)
		}
	})
}
