// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"testing"
)

// TestProgress: a terminal shows the number of plugs read in one line, and the
// outcome of each target above it.
func TestProgress(t *testing.T) {
	var shown bytes.Buffer
	p := progress{w: &shown, live: true, plugs: 2}
	p.request()
	p.done("fridge", nil, nil)
	p.request()
	p.done("desk", nil, context.DeadlineExceeded)
	want := "\r\x1b[K0 of 2 plugs, 1 requests" +
		"\r\x1b[Kfridge: nothing that Prometheus does not have\n" +
		"\r\x1b[K1 of 2 plugs, 1 requests\r\x1b[K1 of 2 plugs, 2 requests" +
		"\r\x1b[Kdesk: context deadline exceeded\n"
	if shown.String() != want {
		t.Errorf("%q, want %q", shown.String(), want)
	}
}
