// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package rejections

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/atomicfile"
)

// TestStalledDisk: nobody waits for it longer than once, and what was saved meanwhile is
// written in one step afterwards.
func TestStalledDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "rejections.json")
		stalled := make(chan struct{})
		var writes atomic.Int32
		f, log := openedWith(t, path, func(path string, data []byte) error {
			writes.Add(1)
			<-stalled
			return write(path, data)
		})
		began := time.Now()
		f.Save("a", []byte("1"))
		synctest.Wait()
		f.Save("b", []byte("2"))
		f.Save("c", []byte("3"))
		wantLoaded(t, f, "a", "1")
		if took := time.Since(began); took != 0 {
			t.Errorf("Save and Load took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := f.Sync(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := f.Sync(t.Context()); !errors.Is(err, errSlow) || time.Since(began) != slow {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		if err := f.Sync(t.Context()); !errors.Is(err, errSlow) || time.Since(began) != slow {
			t.Errorf("waited again, %s: %v", time.Since(began), err)
		}
		time.Sleep(time.Hour)
		if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "--rejections.file") || f.Err() == nil {
			t.Errorf("logged: %s", log.String())
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := f.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		close(stalled)
		f.mustClose(t)
		synctest.Wait()
		if writes.Load() != 2 || f.Err() != nil || strings.Count(log.String(), "stored again") != 1 {
			t.Errorf("%d writes, %v: %s", writes.Load(), f.Err(), log.String())
		}
		again, _ := opened(t, path)
		wantLoaded(t, again, "c", "3")
	})
}

// TestStalledAtStart: the start does not wait for long, and the warning follows.
func TestStalledAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "rejections.json")
		writeFile(t, path, `{"a": {"state": 1}}`)
		stalled, began := make(chan struct{}), time.Now()
		f, log := openedWith(t, path, func(string, []byte) error { <-stalled; return nil }) // of the time of use
		if time.Since(began) != startTime || log.String() != "" {
			t.Errorf("%s: %s", time.Since(began), log.String())
		}
		wantLoaded(t, f, "a", "1")
		time.Sleep(slow)
		if !strings.Contains(log.String(), "level=WARN") {
			t.Errorf("logged: %s", log.String())
		}
		close(stalled)
	})
}

// TestFailingWrites are logged once, tried again, and then catch up.
func TestFailingWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "rejections.json")
		errFull := errors.New("no space left")
		var (
			full   atomic.Bool
			writes atomic.Int32
		)
		f, log := openedWith(t, path, func(path string, data []byte) error {
			writes.Add(1)
			if full.Load() {
				return errFull
			}
			return write(path, data)
		})
		f.Save("a", []byte("1"))
		f.mustSync(t)
		full.Store(true)
		f.Save("a", []byte("2"))
		if err := f.Sync(t.Context()); !errors.Is(err, errFull) || !errors.Is(f.Err(), errFull) {
			t.Error(err)
		}
		f.Save("b", []byte("3"))
		f.Save("a", nil)
		if err := f.Sync(t.Context()); !errors.Is(err, errFull) {
			t.Error(err)
		}
		synctest.Wait()
		before := writes.Load()
		time.Sleep(10*retryAfter + time.Second)
		if writes.Load() != before+10 || strings.Count(log.String(), "level=WARN") != 1 {
			t.Errorf("%d tries: %s", writes.Load()-before, log.String())
		}
		full.Store(false)
		time.Sleep(retryAfter)
		f.mustSync(t)
		synctest.Wait()
		if f.Err() != nil || strings.Count(log.String(), "\n") != 2 {
			t.Errorf("%v: %s", f.Err(), log.String())
		}
		again, _ := opened(t, path)
		wantLoaded(t, again, "a", "")
		wantLoaded(t, again, "b", "3")
	})
}

// TestNotWritable shows at the start, and the file can be used again as soon as it is.
func TestNotWritable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	writeFile(t, dir, "") // a file, which has nothing below it, whoever runs the test
	f, log := opened(t, filepath.Join(dir, "rejections.json"))
	if f.Err() == nil {
		t.Error("no error")
	}
	wantLogged(t, log, "--rejections.file")
	f.Save("a", []byte("{}"))
	wantLoaded(t, f, "a", "{}")
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	for f.Sync(t.Context()) != nil { // has it tried again
		time.Sleep(time.Millisecond)
	}
	again, _ := opened(t, f.path)
	wantLoaded(t, again, "a", "{}")

	long, _ := opened(t, filepath.Join(t.TempDir(), strings.Repeat("x", 250))) // with a suffix a name has 255 bytes at most
	if long.Err() == nil || long.Sync(t.Context()) == nil {
		t.Error("shows in the first write only")
	}

	other, log := opened(t, t.TempDir()) // a directory
	other.Save("a", []byte("{}"))
	if other.Sync(t.Context()) == nil || other.Close(t.Context()) == nil {
		t.Error("a directory was replaced")
	}
	wantLogged(t, log, "not a regular file")
}

// TestLocked: another process that stalls with the lock holds nobody up, and the file can be
// read all the same.
func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rejections.json")
	writeFile(t, path, `{"a": {"used": "2027-01-01T00:00:00Z", "state": 1}}`)
	release, err := acquire(path + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { // where waiting takes no time
		f, _ := opened(t, path)
		wantLoaded(t, f, "a", "1")
		f.Save("b", []byte("2"))
		if err := f.Sync(t.Context()); err == nil || !strings.Contains(err.Error(), "another process") {
			t.Error(err)
		}
		release()
		f.mustClose(t)
	})
	again, _ := opened(t, path)
	wantLoaded(t, again, "b", "2")
}

// TestDamagedFile: it is kept under another name, and what is known is written anew.
func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rejections.json")
	writeFile(t, path, "{half")
	f, log := opened(t, path)
	if f.Err() != nil || !strings.Contains(log.String(), path+".damaged") || readFile(t, path+".damaged") != "{half" {
		t.Errorf("%v: %s", f.Err(), log.String())
	}
	f.Save("a", []byte("{}"))
	f.mustSync(t)
	writeFile(t, path, strings.Repeat(" ", maxSize+1))
	f.Save("b", []byte("{}"))
	f.mustSync(t)
	again, _ := opened(t, path)
	wantLoaded(t, again, "a", "{}")
	wantLoaded(t, again, "b", "{}")
}

// TestKilled: what a process leaves that is killed while it writes is removed, and its lock
// does not stay.
func TestKilled(t *testing.T) {
	if path := os.Getenv("REJECTIONS_OF_KILLED"); path != "" {
		f, _ := openedWith(t, path, func(path string, data []byte) error {
			return atomicfile.Write(path, 0o600, func(w io.Writer) error {
				_, err := w.Write(data)
				fmt.Println("half way")
				time.Sleep(time.Hour)
				return err
			})
		})
		f.Save("b", []byte("2"))
		f.mustSync(t)
		return
	}
	path := filepath.Join(t.TempDir(), "rejections.json")
	f, _ := opened(t, path)
	f.Save("a", []byte("1"))
	f.mustClose(t)
	killed := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	killed.Env = append(os.Environ(), "REJECTIONS_OF_KILLED="+path)
	out, err := killed.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = out.Read(make([]byte, 1))
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait()
	if left, err := filepath.Glob(path + ".*.tmp"); err != nil || len(left) != 1 {
		t.Fatalf("%v, %v", left, err)
	}
	again, log := opened(t, path)
	wantLoaded(t, again, "a", "1")
	again.Save("c", []byte("3"))
	again.mustSync(t)
	if left, err := filepath.Glob(path + ".*.tmp"); err != nil || len(left) != 0 || log.String() != "" {
		t.Errorf("%v, %v: %s", left, err, log.String())
	}
}
