// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package plugs makes devices of configured targets. A setting of a target
// becomes one of its [tapo.Device] here and nowhere else.
package plugs

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// Options configures a device beyond what its target says. The fields are those
// of [tapo.Config].
type Options struct {
	Guard       *tapo.Guard   // of [Lock]
	Guesses     *tapo.Guesses // of [Locks]; for addresses that nobody listed
	Logger      *slog.Logger
	Trace       tapo.Trace
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	Now         func() time.Time
}

// Open returns a device of a target's plug, at the target's address. It does no
// I/O; an error is about the configuration. Check the account before the device is
// read: see [CheckAccount].
func Open(t config.Target, opts Options) (*tapo.Device, *tapo.Error) {
	switch {
	case t.Unlisted:
	case t.Located && opts.Guesses != nil:
		opts.Guesses = opts.Guesses.UntilProven()
	default:
		opts.Guesses = nil
	}
	device, err := tapo.New(tapo.Config{
		Address: t.Address, MAC: t.MAC, Credentials: t.Credentials, Protocol: t.Protocol,
		AllowPassthrough: t.AllowPassthrough, SkipReplyVerification: t.SkipReplyVerification(),
		Guard: opts.Guard, Guesses: opts.Guesses, Logger: opts.Logger, Trace: opts.Trace, DialContext: opts.DialContext, Now: opts.Now,
	})
	if err != nil {
		return nil, &tapo.Error{Reason: tapo.Unreachable, Address: t.Address, Err: err, Advice: "Correct the configuration."}
	}
	return device, nil
}

// SameDevice reports whether Open makes the same device of both targets.
func SameDevice(a, b config.Target) bool {
	return a.Address == b.Address && a.MAC == b.MAC && a.Credentials == b.Credentials && a.Protocol == b.Protocol && a.Unlisted == b.Unlisted && a.Located == b.Located &&
		a.AllowPassthrough == b.AllowPassthrough && a.SkipReplyVerification() == b.SkipReplyVerification()
}

// CheckAccount returns an error if the target's account has yet to be filled in.
// A plug would count the example's password as a wrong one.
func CheckAccount(t config.Target) *tapo.Error {
	if !t.HasExampleAccount() {
		return nil
	}
	return &tapo.Error{
		Reason: tapo.BadCredentials, Address: t.Address, Err: errors.New("the account in the configuration is still the example's"),
		Advice: "Put the e-mail and the password of your TP-Link account into the configuration.",
	}
}
