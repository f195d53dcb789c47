// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package plugtest has what tests share that read simulated plugs: those of
// package tapo, and of the packages below it.
package plugtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// The account of plugs that are started without one.
const (
	Username = "user@example.com"
	Password = "Test-Passw0rd!"
)

// Credentials are those of the account.
var Credentials = tapo.Credentials{Username: Username, Password: Password}

// Generation is a generation of plugs, and the steps of its first read.
type Generation struct {
	Name  string
	Model simulator.Model
	Steps []string // as in simulator.Fault.Path; the last is the request that every read has
}

// Generations has one for each protocol.
var Generations = []Generation{
	{"klap", simulator.P110, []string{"discover", "/app/handshake1", "/app/handshake2", "/app/request"}},
	{"tpap", simulator.P110TPAP, []string{"discover", "pake_register", "pake_share", "/ds"}},
	{"passthrough", simulator.P110Passthrough, []string{"discover", "/app/handshake1", "handshake /app", "login_device /app", "request /app"}},
}

// Start starts a plug, of the account unless it has one.
func Start(t testing.TB, p *simulator.Plug) *simulator.Plug {
	t.Helper()
	if p.Username == "" {
		p.Username, p.Password = Username, Password
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// Device returns a client of a plug, which may use securePassthrough.
func Device(t testing.TB, p *simulator.Plug, change ...func(*tapo.Config)) *tapo.Device {
	t.Helper()
	cfg := tapo.Config{Address: p.Addr().String(), Credentials: Credentials, AllowPassthrough: true}
	if p.Network != nil {
		cfg.DialContext = p.Network.DialContext
	}
	for _, c := range change {
		c(&cfg)
	}
	d, err := tapo.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// Read reads a plug.
func Read(t testing.TB, d *tapo.Device) tapo.Reading {
	t.Helper()
	r, err := d.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Fails reads a plug and wants a reason.
func Fails(t testing.TB, d *tapo.Device, want tapo.Reason) {
	t.Helper()
	_ = Failure(t, d, want)
}

// Failure reads a plug, wants a reason and returns the error.
func Failure(t testing.TB, d *tapo.Device, want tapo.Reason) *tapo.Error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	r, err := d.Read(ctx)
	if err == nil {
		t.Fatalf("read %+v, want an error", r)
	}
	e, _ := errors.AsType[*tapo.Error](err)
	if got := ReasonOf(t, err); got != want {
		t.Fatalf("reason %s, want %s: %v", got, want, err)
	}
	return e
}

// OK is the reason of a read that has succeeded.
const OK = tapo.Reason("ok")

// ReasonOf returns how a read ended, which every error must say.
func ReasonOf(t testing.TB, err error) tapo.Reason {
	t.Helper()
	if err == nil {
		return OK
	}
	e, ok := errors.AsType[*tapo.Error](err)
	if !ok || e.Advice == "" || e.Address == "" {
		t.Fatalf("an error without a reason, an advice or an address: %#v", err)
	}
	return e.Reason
}

// Requests counts the requests that a plug sees during f.
func Requests(p *simulator.Plug, f func()) int {
	before := p.Stats().Requests
	f()
	return p.Stats().Requests - before
}
