// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package rejections stores which credentials plugs have rejected.
//
// Plugs with recent firmware count wrong passwords and lock themselves. Each
// restart of the exporter would repeat a rejected login, so the rejections are in
// a file. It is JSON, an object by the plugs' addresses. A user who deletes it has
// all plugs tried again. An address that nobody has read a plug at for 30 days is
// forgotten, and so are the longest unused of more than 1,000.
//
// Several processes may use one file at the same time. Reads of plugs never wait for the
// disk, unless they ask to: callers work on memory, and a goroutine of the [File] brings
// memory and disk together.
package rejections

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	// startTime is how long Open waits for the disk, and slow how long anybody does: a disk
	// that takes longer counts as one that cannot be written. Both are longer than lockTime.
	startTime = 3 * time.Second / 2
	slow      = 2 * time.Second
	// retryAfter is how long after a failure the disk is tried again, if nobody asks before.
	retryAfter = time.Minute
	// refresh is how old the time of the last use in the file may become. Reads load
	// an entry every few seconds, and must not write the file each time.
	refresh = 24 * time.Hour
)

var (
	errSlow   = errors.New("the disk is too slow: it has not answered within " + slow.String())
	errClosed = errors.New("the file of refused logins is closed")
)

// File is a [tapo.RejectionStore]. Its methods are safe for concurrent use. It logs
// errors of reading and writing the file, and goes on without it.
type File struct {
	path   string
	logger *slog.Logger
	write  func(path string, data []byte) error

	wake    chan struct{} // holds an element if the disk is to be visited
	closing chan struct{} // closed by Close
	ended   chan struct{} // closed when the goroutine has ended

	seen   os.FileInfo // of the file as it was read or written last; the goroutine's own
	seenAt time.Time

	mu        sync.Mutex        // never held during I/O
	entries   map[string]*entry // by address
	pending   map[string]uint64 // the addresses saved since the last write, with the request of each
	requested uint64            // requests to visit the disk, each of which has a number
	done      uint64            // the last one that a visit has served
	failure   error             // of the last visit; nil if it succeeded
	changed   chan struct{}     // closed, and replaced, when done or failure change

	closeOnce sync.Once
}

// entry is what is remembered for an address.
type entry struct {
	state  json.RawMessage // compact; never changed
	used   time.Time       // the last use; it has a monotonic reading, which no change of the clock moves
	stored time.Time       // the last use by the file and the clock on the wall; zero if it has none
}

// isStale reports whether the file's time of use is to be corrected: it is old, or was
// written before the clock was set.
func (e *entry) isStale() bool { return e.used.Round(0).Sub(e.stored).Abs() >= refresh }

// Open reads the file at path, if there is one, and logs a warning if it cannot be
// written. It does not wait long for a disk that is stuck, or longer than ctx. Close must
// follow.
func Open(ctx context.Context, path string, logger *slog.Logger) *File {
	return open(ctx, path, logger, write)
}

func open(ctx context.Context, path string, logger *slog.Logger, write func(path string, data []byte) error) *File {
	f := &File{
		path: path, logger: logger, write: write,
		wake: make(chan struct{}, 1), closing: make(chan struct{}), ended: make(chan struct{}), changed: make(chan struct{}),
		entries: map[string]*entry{}, pending: map[string]uint64{},
	}
	go f.run()
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	_ = f.Sync(ctx) // has been logged
	return f
}

// Load implements [tapo.RejectionStore].
func (f *File) Load(address string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.entries[address]
	if e == nil {
		return nil
	}
	e.used = time.Now()
	if e.isStale() && f.failure == nil {
		f.visit()
	}
	return e.state
}

// Save implements [tapo.RejectionStore].
func (f *File) Save(address string, state []byte) {
	var compact bytes.Buffer
	if state != nil && (json.Compact(&compact, state) != nil || compact.Len() > maxEntrySize) {
		f.logger.Error("A refused login is not stored: its state is damaged or too long; please report this", "address", address)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	switch {
	case state != nil:
		f.entries[address] = &entry{state: compact.Bytes(), used: now}
		if len(f.entries) > maxEntries {
			forget(f.entries, now)
		}
	case f.entries[address] == nil:
		return
	default:
		delete(f.entries, address)
	}
	f.requested++
	f.pending[address] = f.requested
	f.visit()
}

// Sync implements [tapo.RejectionStore]. While the disk fails, it returns the error at
// once, and has the disk tried again.
func (f *File) Sync(ctx context.Context) error {
	f.mu.Lock()
	f.requested++
	request := f.requested
	f.visit()
	f.mu.Unlock()
	for {
		f.mu.Lock()
		served, failure, changed := f.done >= request, f.failure, f.changed
		f.mu.Unlock()
		if served || failure != nil {
			return failure
		}
		select {
		case <-changed:
		case <-f.ended:
			return errClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Err returns why the file cannot be written, nil if it can or that is not known yet.
func (f *File) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failure
}

// Close writes what has not been written, and ends the goroutine. It does not wait longer
// than ctx. What is saved later is not written.
func (f *File) Close(ctx context.Context) error {
	f.closeOnce.Do(func() { close(f.closing) })
	select {
	case <-f.ended:
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.pending) > 0 {
			return f.failure
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// visit has the goroutine visit the disk.
func (f *File) visit() {
	select {
	case f.wake <- struct{}{}:
	default: // it will
	}
}
