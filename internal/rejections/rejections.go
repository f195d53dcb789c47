// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package rejections stores which credentials plugs have rejected.
//
// Plugs with recent firmware count wrong passwords and lock themselves. Each
// restart of the exporter would repeat a rejected login, so the rejections are in
// a file. It is JSON, an object by the plugs' addresses. A user who deletes it has
// all plugs tried again.
package rejections

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/tapo-exporter/tapo_exporter/internal/atomicfile"
)

// File is a [tapo.RejectionStore]. Its methods are safe for concurrent use. It logs
// errors of reading and writing the file, and goes on without it.
type File struct {
	path   string
	logger *slog.Logger

	mu     sync.Mutex
	states map[string]json.RawMessage
}

// Open reads the file at path, if there is one.
func Open(path string, logger *slog.Logger) *File {
	f := &File{path: path, logger: logger, states: map[string]json.RawMessage{}}
	data, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err == nil {
		err = json.Unmarshal(data, &f.states)
	}
	if f.states == nil { // the file holds null
		f.states = map[string]json.RawMessage{}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		logger.Warn("Refused logins of earlier runs are not known", "file", path, "err", err)
	}
	return f
}

// Load implements [tapo.RejectionStore].
func (f *File) Load(address string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.states[address]
}

// Save implements [tapo.RejectionStore].
func (f *File) Save(address string, state []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if state == nil {
		if _, ok := f.states[address]; !ok {
			return
		}
		delete(f.states, address)
	} else {
		f.states[address] = state
	}
	if err := f.write(); err != nil {
		f.logger.Warn("A refused login is not remembered over restarts: see --rejections.file", "address", address, "err", err)
	}
}

// write replaces the file, which only its owner can read.
func (f *File) write() error {
	data, err := json.MarshalIndent(f.states, "", "  ")
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
