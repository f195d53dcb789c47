// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package tapo reads TP-Link Tapo plugs over the local network.
//
// A [Device] is one plug. It finds out which protocol the plug speaks, logs in
// once, keeps the session and answers [Device.Read] with everything that an
// energy monitor wants to know, in base units. Once the session stands, a read is
// one HTTP exchange, and one more for each metered outlet of a strip. A session that turns out dead is replaced within the same
// read. Nothing here ever switches a plug or changes a setting.
//
// Firmware differs in what it tells, so every value of a [Reading] is optional;
// a value that the plug did not give is absent, never zero.
//
// Errors are of type [*Error]; they carry a [Reason] from a closed list and an
// advice in words. No error, log line or trace holds a password, a hash of one,
// a token or a session id.
//
// # Map
//
// A read goes through device.go (whose turn it is, and whether to ask again over
// a new login), login.go (the session that stands), negotiate.go (over which
// transport to log in, and whether that may be tried), transports.go (the list of
// transports) and dialects.go (the list of dialects). identity.go makes sure that
// the plug is the one that is wanted.
//
// When it fails, explain.go gives errors of transports and dialects a reason, and
// unrecognised.go finds out why there is no transport for a plug. Then impasse.go
// asks such a plug one question in each read, and rest.go delays logins where the
// last ones led to nothing. errors.go has
// the closed list of reasons, advice.go what to do about each, and
// credentialadvice.go what to do about credentials. guard.go keeps plugs from
// locking themselves.
//
// replace.go replaces a device whose configuration has changed. waiter.go is how
// long the callers of a shared read wait. history.go asks for energies and powers
// of the past. aliases.go has the names of package plug. tapo.go and address.go are
// the configuration.
//
// Below are tapo/internal/transport with a package for each transport, smart with
// the dialect of Tapo's plugs, lockout with the rules of politeness, and httpwire,
// lenient, plugerr and budget, which these share. Package plugtest is for the tests
// of all of them.
package tapo

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Config says which plug to read and how.
type Config struct {
	// Address is a host or host:port; the port is 80 where it is left out.
	Address string
	// MAC is that of the plug, if no other at the address will do. Then
	// securePassthrough is out of the question: anybody can claim a MAC address.
	MAC string
	// Credentials of the TP-Link account that the plug belongs to.
	Credentials Credentials
	// Protocol pins the protocol. Empty means that the plug is asked.
	Protocol Protocol
	// AllowPassthrough permits securePassthrough, which gives the account's
	// password to whoever answers at the address.
	AllowPassthrough bool
	// SkipReplyVerification accepts KLAP replies that are not signed.
	SkipReplyVerification bool

	// Logger gets debug lines on every step, with the context of the read. Nil
	// discards them.
	Logger *slog.Logger
	// Trace is called when something happens; nil hooks are not.
	Trace Trace
	// DialContext replaces the default dialer if it is not nil.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Guard is shared by all devices of the plug. Nil gives the device one of its
	// own, which remembers nothing over restarts.
	Guard *Guard
	// Guesses is the budget that the plug's logins count towards, nil if the user has listed
	// the address.
	Guesses *Guesses
	// Now replaces time.Now if it is not nil.
	Now func() time.Time
}

// Trace has hooks for counting. They are called during reads, possibly of
// several devices at a time, and must not block.
type Trace struct {
	// Exchange is one exchange with a plug.
	Exchange    func(Exchange)
	Login       func(Protocol)         // a login succeeded
	LoginFailed func(Protocol, Reason) // a plug was asked to log us in, or would have been, and it failed
	SessionLost func(Protocol)         // a plug had forgotten our session
	Method      func(MethodReply)      // a method was answered, or has failed
}

// Exchange is a request to a plug that was sent, whatever became of it.
type Exchange struct {
	Protocol Protocol
	Phase    Phase
	Step     string        // of the protocol, such as handshake1
	Took     time.Duration // until the answer, or its failure
}

// complete checks cfg and sets what was left out.
func (cfg Config) complete() (Config, error) {
	address, err := ParseAddress(cfg.Address)
	if err != nil {
		return cfg, err
	}
	cfg.Address = address
	if cfg.MAC != "" {
		mac := ParseMAC(cfg.MAC)
		if mac == "" {
			return cfg, fmt.Errorf("MAC address %q: want AA-BB-CC-00-11-22", cfg.MAC)
		}
		cfg.MAC, cfg.AllowPassthrough = mac, false
	}
	if _, known := rowOf(cfg.Protocol); !known && cfg.Protocol != "" {
		return cfg, fmt.Errorf("unknown protocol %q", cfg.Protocol)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Guard == nil {
		cfg.Guard = NewGuard(address, nil)
	}
	return cfg, nil
}
