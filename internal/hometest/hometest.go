// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package hometest has what tests share that run the exporter, or parts of it, in
// a home of simulated plugs.
package hometest

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// Listening finds in the program's log where it listens.
var Listening = regexp.MustCompile(`msg="Listening on" address=(\S+)`)

// Buffer is a buffer that is safe for concurrent use. The zero value is empty.
type Buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements [io.Writer].
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns what has been written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Get returns the body at a URL, whatever the status.
func Get(url string) (string, error) {
	resp, err := http.Get(url) //nolint:gosec,noctx // of a server that the test has started
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// MustGet is [Get], and ends the test on an error.
func MustGet(t testing.TB, url string) string {
	t.Helper()
	body, err := Get(url)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// MACOf returns what a plug replies to a search as its MAC address.
func MACOf(t testing.TB, p *simulator.Plug) string {
	t.Helper()
	mac := ""
	search := discovery.Search{Addresses: []string{p.DiscoveryAddr().String()}, Timeout: 100 * time.Millisecond}
	if err := search.Run(t.Context(), func(d discovery.Device) { mac = d.MAC }); err != nil || mac == "" {
		t.Fatalf("no MAC address: %v", err)
	}
	return mac
}

// Eventually waits up to ten seconds for a condition.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("never: " + what)
		}
	}
}
