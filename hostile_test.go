// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/common/promslog"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// hostile is a name that changes the colours of a terminal, and the direction of what
// follows.
const hostile = "a\u202eb\u009b31mc\x1b[2Jd\u2028e"

// wantHarmless fails if a text has one of the controls of hostile.
func wantHarmless(t *testing.T, what, text, want string) {
	t.Helper()
	if strings.ContainsAny(text, "\u202e\u009b\x1b\u2028") || !strings.Contains(text, want) {
		t.Errorf("%s: %q, want %q", what, text, want)
	}
}

// TestHostilePlug is listed, checked and served.
func TestHostilePlug(t *testing.T) {
	model := simulator.P110
	model.Name = hostile
	p := startPlug(t, &simulator.Plug{Model: model, Name: hostile, Listen: "127.0.80.1:0", Discovery: "127.0.80.1:0"})
	for _, format := range []string{"table", "yaml", "json"} {
		out, progress := ended(t, 0, "discover", "--timeout=300ms", "--address", p.DiscoveryAddr().String(), "--format="+format)
		wantHarmless(t, "discover, "+format, out, "ab31mc[2Jde")
		wantHarmless(t, "discover, progress", progress, "ab31mc[2Jde")
	}
	path := filepath.Join(t.TempDir(), "targets.yml")
	writeConfig(t, path, p)
	const want = "a�b�31mc�[2Jd�e"
	for _, format := range []string{"text", "json"} {
		out, _ := ended(t, 0, "check", "--config.file="+path, "--format="+format)
		wantHarmless(t, "check, "+format, out, want)
	}
	served := start(t, "--config.file="+path, "--log.level=debug")
	wantHarmless(t, "/probe", hometest.MustGet(t, served.url+"/probe?target=plug0"), want)
	for _, page := range []string{"/", "/probes/1", "/sd"} {
		wantHarmless(t, page, hometest.MustGet(t, served.url+page), want)
	}
	wantHarmless(t, "log", served.stderr.String(), "")
}

func TestHostileErrors(t *testing.T) {
	const want = "a�b�31mc�[2Jd�e"
	err := errors.New(hostile)
	for _, format := range []string{"logfmt", "json"} {
		var out bytes.Buffer
		cfg := &promslog.Config{Level: promslog.NewLevel(), Format: promslog.NewFormat()}
		if err := cfg.Format.Set(format); err != nil {
			t.Fatal(err)
		}
		newLogger(&out, cfg).With("name", hostile).Warn("Failed", "err", err, "lines", "one\ntwo")
		got := strings.NewReplacer("\\u001b", "�", "\\u2028", "�").Replace(out.String()) // as JSON escapes them
		wantHarmless(t, format, got, want)
		if strings.Count(got, want) != 2 || !strings.Contains(got, `one\ntwo`) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: %q", format, got)
		}
	}
	for _, err := range []error{err, &tapo.Error{Err: err, Advice: hostile}} {
		var out bytes.Buffer
		p := progress{w: &out}
		p.done("plug0", nil, err)
		wantHarmless(t, "backfill", out.String(), want)
	}
}
