// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/backfill"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/safetext"
)

// progress prints the outcome of each target, and on a terminal also how many
// plugs have been read.
type progress struct {
	w     io.Writer
	live  bool
	plugs int

	mu       sync.Mutex
	finished int
	requests int
}

func (p *progress) request() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	p.show()
}

func (p *progress) done(name string, outlets []backfill.Outlet, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finished++
	if p.live {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	fmt.Fprintf(p.w, "%s: %s\n", name, outcome(outlets, err))
	p.show()
}

func (p *progress) show() {
	if p.live && p.finished < p.plugs {
		fmt.Fprintf(p.w, "\r\x1b[K%d of %d plugs, %d requests", p.finished, p.plugs, p.requests)
	}
}

// outcome returns a line about the samples of a plug, or why there are none.
func outcome(outlets []backfill.Outlet, err error) string {
	if failed, ok := errors.AsType[*tapo.Error](err); ok {
		return safetext.Clean(failed.Err.Error()) + "\n  " + safetext.Clean(failed.Advice)
	}
	if err != nil {
		return safetext.Clean(err.Error())
	}
	first, last := backfill.Span(outlets)
	samples, used, directed := 0, map[tapo.Interval]bool{}, ""
	for _, o := range outlets {
		samples += len(o.Energy) + len(o.Power)
		if o.Directed {
			directed = "; the plug measures the direction: only what it drew, without power and what it fed in (docs/solar.md)"
		}
		for _, s := range o.Sources {
			used[s.Resolution] = true
		}
	}
	if samples == 0 {
		return "nothing that Prometheus does not have"
	}
	var names []string
	for _, name := range []string{"5m", "1h", "1d", "30d"} {
		if used[resolutions[name]] {
			names = append(names, name)
		}
	}
	return fmt.Sprintf("%d samples from %s to %s, made of %s%s", samples, first.Format(time.RFC3339), last.Format(time.RFC3339), strings.Join(names, ", "), directed)
}
