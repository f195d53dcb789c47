// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package rejections stores which credentials plugs have rejected.
//
// Plugs with recent firmware count wrong passwords and lock themselves. Each
// restart of the exporter would repeat a rejected login, so the rejections are in
// a file. It is JSON, an object by the plugs' addresses. A user who deletes it has
// all plugs tried again. An address that nobody has read a plug at for 30 days is
// forgotten.
package rejections

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/atomicfile"
)

const (
	// maxUnused is how long an entry is kept that nobody loads.
	maxUnused = 30 * 24 * time.Hour
	// refresh is how old the time of the last use in the file may become. Reads load
	// an entry every few seconds, and must not write the file each time.
	refresh = 24 * time.Hour
)

// File is a [tapo.RejectionStore]. Its methods are safe for concurrent use. It logs
// errors of reading and writing the file, and goes on without it.
type File struct {
	path   string
	logger *slog.Logger

	mu      sync.Mutex
	entries map[string]*entry // by address
}

// entry is the entry of an address in the file.
type entry struct {
	Used  time.Time       `json:"used"` // the last time, by at most refresh too early
	State json.RawMessage `json:"state"`
}

// UnmarshalJSON also accepts the entry of an earlier version, which is the state alone.
// A time that is missing or damaged stays zero.
func (e *entry) UnmarshalJSON(data []byte) error {
	var members struct{ Used, State json.RawMessage }
	if !unmarshal(data, &members) || members.State == nil {
		e.State = slices.Clone(data)
		return nil
	}
	e.State = members.State
	if !unmarshal(members.Used, &e.Used) {
		e.Used = time.Time{}
	}
	return nil
}

func unmarshal(data []byte, into any) bool { return json.Unmarshal(data, into) == nil }

// Open reads the file at path, if there is one.
func Open(path string, logger *slog.Logger) *File {
	f := &File{path: path, logger: logger, entries: map[string]*entry{}}
	data, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err == nil {
		err = json.Unmarshal(data, &f.entries)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		logger.Warn("Refused logins of earlier runs are not known", "file", path, "err", err)
	}
	if f.entries == nil { // the file holds null
		f.entries = map[string]*entry{}
	}
	now := time.Now()
	for address, e := range f.entries {
		if e == nil {
			delete(f.entries, address)
		} else if e.Used.IsZero() {
			e.Used = now
		}
	}
	f.forget(now)
	return f
}

// forget drops entries that nobody has used for long.
func (f *File) forget(now time.Time) {
	maps.DeleteFunc(f.entries, func(_ string, e *entry) bool { return now.Sub(e.Used) > maxUnused })
}

// Load implements [tapo.RejectionStore].
func (f *File) Load(address string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.entries[address]
	if e == nil {
		return nil
	}
	// The clock on the wall counts here: it may have been set since the entry was made.
	if now := time.Now(); now.Round(0).Sub(e.Used.Round(0)) >= refresh {
		e.Used = now
		f.write(address)
	}
	return e.State
}

// Save implements [tapo.RejectionStore].
func (f *File) Save(address string, state []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if state != nil {
		f.entries[address] = &entry{Used: time.Now(), State: state}
	} else {
		if f.entries[address] == nil {
			return
		}
		delete(f.entries, address)
	}
	f.write(address)
}

// Sync implements [tapo.RejectionStore].
func (f *File) Sync(context.Context) error { return nil }

// write replaces the file because of an address. Only the file's owner can read it.
func (f *File) write(address string) {
	f.forget(time.Now())
	if err := f.replace(); err != nil {
		f.logger.Warn("A refused login is not remembered over restarts: see --rejections.file", "address", address, "err", err)
	}
}

func (f *File) replace() error {
	data, err := json.MarshalIndent(f.entries, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(f.path, 0o600, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
