// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package rejections

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

var _ tapo.RejectionStore = (*File)(nil)

// opened opens a file until the test ends.
func opened(t testing.TB, path string) (*File, *hometest.Buffer) {
	t.Helper()
	return openedWith(t, path, write)
}

func openedWith(t testing.TB, path string, write func(string, []byte) error) (*File, *hometest.Buffer) {
	t.Helper()
	log := &hometest.Buffer{}
	f := open(t.Context(), path, slog.New(slog.NewTextHandler(log, nil)), write)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = f.Close(ctx) // a second time in some tests, which does nothing
	})
	return f, log
}

func (f *File) mustSync(t testing.TB) {
	t.Helper()
	if err := f.Sync(t.Context()); err != nil {
		t.Error(err)
	}
}

func (f *File) mustClose(t testing.TB) {
	t.Helper()
	if err := f.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func wantLoaded(t testing.TB, f *File, address, want string) {
	t.Helper()
	if got := string(f.Load(address)); got != want {
		t.Errorf("%s: loaded %q, want %q", address, got, want)
	}
}

// inYear runs a test in a bubble whose clock has been set.
func inYear(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2027, time.January, 1, 0, 0, 0, 0, time.UTC)))
		test(t)
	})
}

// writeFile writes it in one step, since another goroutine may be reading it.
func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := write(path, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// wantLogged waits for a line of the goroutine's log.
func wantLogged(t testing.TB, log *hometest.Buffer, want string) {
	t.Helper()
	hometest.Eventually(t, "logged "+want, func() bool { return strings.Contains(log.String(), want) })
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "below", "rejections.json")
	f, log := opened(t, path)
	wantLoaded(t, f, "a", "")
	f.Save("a", nil)
	f.mustSync(t)
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was written although nothing was refused")
	}
	f.Save("a", []byte(`{"x": "<1>"}`))
	f.Save("b", []byte(`{"x":2}`))
	f.Save("b", nil)
	f.mustSync(t)
	if got := readFile(t, path); strings.Count(got, "\n") != 3 {
		t.Errorf("not one line for each entry:\n%s", got)
	}
	f.Save("c", []byte(`{"x":3}`))
	f.mustClose(t)
	if f.Sync(t.Context()) == nil {
		t.Error("a closed file is synced")
	}

	again, _ := opened(t, path)
	wantLoaded(t, again, "a", `{"x":"<1>"}`)
	wantLoaded(t, again, "b", "")
	wantLoaded(t, again, "c", `{"x":3}`)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 2 { // and the lock
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if log.String() != "" {
		t.Errorf("logged: %s", log.String())
	}
	again.Save("d", []byte("{half"))
	again.Save("e", []byte(`"`+strings.Repeat("x", maxEntrySize)+`"`))
	again.mustSync(t)
	wantLoaded(t, again, "d", "")
	wantLoaded(t, again, "e", "")
}

// TestTwoFiles: two processes that use one file lose nothing, and each sees what the other
// has stored.
func TestTwoFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rejections.json")
	serve, _ := opened(t, path)
	check, _ := opened(t, path)
	const rounds = 15
	for i := range rounds {
		n := strconv.Itoa(i)
		serve.Save("serve"+n, []byte(n))
		check.Save("check"+n, []byte(n))
		check.Save("shared", []byte(n))
		check.mustSync(t)
		serve.mustSync(t)
		wantLoaded(t, serve, "shared", n)
		serve.Save("shared", nil)
		serve.mustSync(t)
		check.mustSync(t)
		wantLoaded(t, check, "shared", "")
	}
	last, _ := opened(t, path)
	for _, f := range []*File{serve, check, last} {
		for i := range rounds {
			wantLoaded(t, f, "serve"+strconv.Itoa(i), strconv.Itoa(i))
			wantLoaded(t, f, "check"+strconv.Itoa(i), strconv.Itoa(i))
		}
	}
}

// TestUnusedEntries are forgotten after 30 days, others never.
func TestUnusedEntries(t *testing.T) {
	inYear(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "rejections.json")
		var writes atomic.Int32
		f, _ := openedWith(t, path, func(path string, data []byte) error {
			writes.Add(1)
			return write(path, data)
		})
		f.Save("used", []byte(`{"x":1}`))
		f.Save("used too", []byte(`{"x":1}`))
		f.Save("unused", []byte(`{"x":2}`))
		for began := time.Now(); time.Since(began) < 29*24*time.Hour; time.Sleep(10 * time.Minute) {
			if f.Load("used") == nil || f.Load("used too") == nil {
				t.Fatal("an entry that is in use was forgotten")
			}
		}
		f.mustSync(t)
		if writes.Load() > 32 {
			t.Errorf("written %d times in 29 days", writes.Load())
		}
		again, _ := opened(t, path)
		if again.entries["unused"] == nil { // Load would use it
			t.Error("forgotten before its time")
		}
		again.mustClose(t)
		time.Sleep(2 * 24 * time.Hour)
		if last, _ := opened(t, path); last.Load("unused") != nil || last.Load("used") == nil { // read
			t.Error("the unused one is kept, or the other is not")
		}
		f.Load("used")
		f.mustSync(t)
		if f.Load("unused") != nil || f.Load("used") == nil {
			t.Error("the unused one is kept, or the other is not")
		}
	})
}

// TestNewerPlugsMakeRoom: in a large home each plug has an entry, of which those that refuse
// logins are kept.
func TestNewerPlugsMakeRoom(t *testing.T) {
	inYear(t, func(t *testing.T) {
		f, _ := opened(t, filepath.Join(t.TempDir(), "rejections.json"))
		f.Save("refused", []byte(`{"x":1}`))
		for i := range maxEntries + 100 {
			time.Sleep(time.Second)
			f.Save(strconv.Itoa(i), []byte(`{"newer":true}`))
		}
		f.mustSync(t)
		wantLoaded(t, f, "refused", `{"x":1}`)
		if len(f.entries) != maxEntries {
			t.Errorf("%d entries", len(f.entries))
		}
	})
}

// TestTooManyEntries: the longest unused go first, also those of another process.
func TestTooManyEntries(t *testing.T) {
	inYear(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "rejections.json")
		entries := map[string]*entry{}
		for i := range maxEntries {
			entries[strconv.Itoa(i)] = &entry{state: []byte("{}"), used: time.Now().Add(time.Duration(i-maxEntries) * time.Minute)}
		}
		writeFile(t, path, string(encoded(entries)))
		f, _ := opened(t, path)
		f.Load("0")
		f.Save("one more", []byte("{}"))
		wantLoaded(t, f, "1", "")
		f.mustSync(t)
		other, _ := opened(t, path)
		time.Sleep(time.Minute)
		other.Save("another", []byte("{}"))
		other.mustSync(t)
		f.mustSync(t)
		for _, f := range []*File{f, other} {
			if len(f.entries) != maxEntries || f.Load("0") == nil || f.Load("1") != nil || f.Load("2") != nil || f.Load("3") == nil {
				t.Errorf("%d entries, or others than those used last", len(f.entries))
			}
		}
	})
}
