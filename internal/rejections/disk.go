// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package rejections

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/atomicfile"
)

// settled is how old a file must be when it is read so that each later change of it shows
// in its time, which file systems round by up to two seconds.
const settled = 2 * time.Second

// run visits the disk whenever somebody asks for it, and again some time after a failure.
func (f *File) run() {
	defer close(f.ended)
	for {
		var retry <-chan time.Time
		if f.Err() != nil {
			retry = time.After(retryAfter)
		}
		select {
		case <-f.wake:
		case <-retry:
		case <-f.closing:
			f.mu.Lock()
			finished := f.done == f.requested && len(f.pending) == 0
			f.mu.Unlock()
			if !finished {
				f.serve()
			}
			return
		}
		f.serve()
	}
}

// serve visits the disk once for all requests that were made before.
func (f *File) serve() {
	f.mu.Lock()
	f.requested++ // so that no other visit has this number
	request, careful := f.requested, f.done == 0 || f.failure != nil
	f.mu.Unlock()
	watch := time.AfterFunc(slow, func() { f.report(request, errSlow, false) })
	err := f.exchange(careful)
	watch.Stop()
	f.report(request, err, true)
}

// report publishes how a visit goes, and logs it if it goes another way than the one before.
func (f *File) report(request uint64, err error, ended bool) {
	f.mu.Lock()
	if f.done >= request { // it has just ended, and is not slow
		f.mu.Unlock()
		return
	}
	before := f.failure
	f.failure = err
	if ended {
		f.done = request
	}
	close(f.changed)
	f.changed = make(chan struct{})
	f.mu.Unlock()
	switch {
	case err != nil && before == nil:
		f.logger.Warn("Refused logins cannot be stored, and a restart tries them again: make the file and its directory writable, "+
			"or name another file with --rejections.file", "file", f.path, "err", err)
	case err == nil && before != nil:
		f.logger.Info("Refused logins are stored again", "file", f.path)
	}
}

// exchange brings memory and disk together. If it is careful, it tries all that a write
// needs although there may be nothing to write.
func (f *File) exchange(careful bool) error {
	release, lockErr := f.prepare(careful)
	if lockErr == nil {
		defer release()
	}
	// Without the lock it can be read all the same: files are replaced in one step.
	content, changed, err := f.read()
	damaged, isDamaged := errors.AsType[damagedError](err)
	switch {
	case isDamaged && lockErr == nil:
		err = f.setAside(damaged)
	case err == nil && changed:
		f.merge(content)
	}
	switch {
	case lockErr != nil:
		return lockErr
	case err != nil:
		return err
	}
	return f.store()
}

// prepare makes the directory and takes the lock.
func (f *File) prepare(careful bool) (release func(), err error) {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return nil, err
	}
	release, err = acquire(f.path + ".lock")
	if err != nil || !careful {
		return release, err
	}
	if err = errors.Join(atomicfile.RemoveLeftovers(f.path), atomicfile.Check(f.path)); err != nil {
		release()
	}
	return release, err
}

// read returns what the file holds if that may differ from what was read or written last.
func (f *File) read() (content map[string]*entry, changed bool, err error) {
	info, err := os.Stat(f.path)
	now := time.Now()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.seen = nil
		return nil, true, nil
	case err != nil:
		return nil, false, err
	case !info.Mode().IsRegular():
		return nil, false, fmt.Errorf("%s is not a regular file", f.path)
	case f.seen != nil && os.SameFile(f.seen, info) && f.seen.Size() == info.Size() && f.seen.ModTime().Equal(info.ModTime()) &&
		f.seenAt.Round(0).Sub(info.ModTime()) > settled:
		return nil, false, nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return nil, false, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, false, err
	}
	content, dropped, err := parse(data, now)
	if err != nil {
		return nil, false, damagedError{err}
	}
	if dropped > 0 {
		f.logger.Warn("Entries in the file of refused logins are too long, and are forgotten", "file", f.path, "entries", dropped)
	}
	f.seen, f.seenAt = info, now
	return content, true, nil
}

// damagedError is the error of a file that was read and does not hold what it should.
type damagedError struct{ error }

// setAside keeps a damaged file under another name, since it may be possible to repair it.
// All that is in memory is to be written.
func (f *File) setAside(damaged error) error {
	aside := f.path + ".damaged"
	if err := os.Rename(f.path, aside); err != nil {
		return errors.Join(damaged, err)
	}
	f.logger.Warn("The file of refused logins is damaged, and has another name now: logins that earlier runs stored are tried again",
		"file", aside, "err", damaged)
	f.seen = nil
	f.mu.Lock()
	defer f.mu.Unlock()
	for address := range f.entries {
		f.pending[address] = f.requested
	}
	return nil
}

// merge takes over what the file holds, except for what has been saved since and is yet to
// be written.
func (f *File) merge(content map[string]*entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	merged := make(map[string]*entry, len(content)+len(f.pending))
	maps.Copy(merged, content)
	for address, e := range f.entries {
		if other := merged[address]; other != nil && e.used.After(other.used) {
			other.used = e.used
		}
	}
	for address := range f.pending {
		if e := f.entries[address]; e != nil {
			merged[address] = e
		} else {
			delete(merged, address)
		}
	}
	f.entries = merged
}

// store writes the file if something is pending, or a time of use in it is too old.
func (f *File) store() error {
	lines, pending, needed := f.snapshot()
	if !needed {
		return nil
	}
	if err := f.write(f.path, encode(lines)); err != nil {
		return err
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	f.seen, f.seenAt = info, time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range lines {
		l.entry.stored = l.used
	}
	maps.DeleteFunc(f.pending, func(address string, request uint64) bool { return pending[address] == request })
	return nil
}

// snapshot returns what is to be written, if anything is.
func (f *File) snapshot() (lines []line, pending map[string]uint64, needed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	forget(f.entries, now)
	needed = len(f.pending) > 0
	for _, e := range f.entries {
		needed = needed || e.isStale()
	}
	if !needed {
		return nil, nil, false
	}
	for address, e := range f.entries {
		used := now.Add(-now.Sub(e.used)) // by the clock of now
		lines = append(lines, line{entry: e, address: address, used: used.UTC().Truncate(time.Second)})
	}
	return lines, maps.Clone(f.pending), true
}

// write replaces the file. Only its owner can read it.
func write(path string, data []byte) error {
	return atomicfile.Write(path, 0o600, func(w io.Writer) error {
		if _, err := w.Write(data); err != nil {
			return err
		}
		return inheritOwner(w.(*os.File))
	})
}
