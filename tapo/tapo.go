// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package tapo reads TP-Link Tapo plugs over the local network.
//
// A [Device] is one plug. It finds out which protocol the plug speaks, logs in
// once, keeps the session and answers [Device.Read] with everything that an
// energy monitor wants to know, in base units: one HTTP exchange per read once
// the session stands. A session that turns out dead is replaced within the same
// read. Nothing here ever switches a plug or changes a setting.
//
// Firmware differs in what it tells, so every value of a [Reading] is optional;
// a value that the plug did not give is absent, never zero.
//
// Errors are of type [*Error]; they carry a [Reason] from a closed list and an
// advice in words. No error, log line or trace holds a password, a hash of one,
// a token or a session id.
package tapo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/klap"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/tpap"
)

// Protocols lists all protocols, the strongest first.
func Protocols() []Protocol { return []Protocol{TPAP, KLAP, Passthrough} }

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
	// Trace is told what happens; nil hooks are not called.
	Trace Trace
	// DialContext replaces the default dialer if it is not nil.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Guard is shared by all devices of the plug. Nil gives the device one of its
	// own, which remembers nothing over restarts.
	Guard *Guard
	// Now replaces time.Now if it is not nil.
	Now func() time.Time
}

// Trace has hooks for counting. They are called during reads, possibly of
// several devices at a time, and must not block.
type Trace struct {
	// Exchange is one exchange with a plug.
	Exchange    func(Exchange)
	Login       func(Protocol)              // a login succeeded
	LoginFailed func(Protocol, Reason)      // a plug was asked to log us in, or would have been, and it failed
	SessionLost func(Protocol)              // a plug had forgotten our session
	Method      func(name string, code int) // a method was answered, with 0, or refused, with the plug's error_code
}

// Exchange is a request to a plug that was sent, whatever became of it.
type Exchange struct {
	Protocol Protocol
	Phase    Phase
	Step     string        // of the protocol, such as handshake1
	Took     time.Duration // until the answer, or its failure
}

// Device is a plug. Its methods are safe for concurrent use; reads of one plug
// happen one after the other, since a plug holds one conversation at a time.
type Device struct {
	cfg  Config
	wire *httpwire.Client
	auth []byte        // KLAP's auth hash of the credentials
	live atomic.Value  // Protocol of the session, "" without one
	idle *time.Timer   // gives up the connection
	busy chan struct{} // holds a token while somebody reads; guards what follows

	session *session
	last    Protocol // what the last login spoke
	memory  memory
	looked  time.Time // when the plug was last asked although no TPAP login was possible
	deriver tpap.Deriver
	learnt  learnt
	reply   answer    // memory for one
	batch   []answer  // and for those of a batch
	granted int       // exchanges that the read under way has been allowed beyond maxExchanges
	resting time.Time // until when there is no other request for a history

	predecessor *Device // what Replace was given, until its memory is taken over
}

// memory is what must not be forgotten about a plug when its configuration
// changes.
type memory struct {
	newer     bool // the plug was seen to speak KLAP or TPAP
	rejected  rejection
	announced tpap.Announcement        // how the last TPAP login was made
	loginVer  passthrough.LoginVersion // the securePassthrough login that worked, 0 if none did
}

// New returns a device. It does no I/O; an error says what is wrong with cfg.
func New(cfg Config) (*Device, error) {
	address, err := ParseAddress(cfg.Address)
	if err != nil {
		return nil, err
	}
	cfg.Address = address
	if cfg.MAC != "" {
		mac := ParseMAC(cfg.MAC)
		if mac == "" {
			return nil, fmt.Errorf("MAC address %q: want AA-BB-CC-00-11-22", cfg.MAC)
		}
		cfg.MAC, cfg.AllowPassthrough = mac, false
	}
	switch cfg.Protocol {
	case "", TPAP, KLAP, Passthrough:
	default:
		return nil, fmt.Errorf("unknown protocol %q", cfg.Protocol)
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
	d := &Device{
		cfg:  cfg,
		auth: klap.V2.AuthHash(cfg.Credentials.Username, string(cfg.Credentials.Password)),
		busy: make(chan struct{}, 1),
	}
	d.live.Store(Protocol(""))
	d.idle = time.AfterFunc(maxIdle, d.hangUp)
	d.idle.Stop()
	opts := httpwire.Options{Address: address, DialContext: cfg.DialContext, Logger: cfg.Logger, TooMany: d.tooMany}
	if exchange := cfg.Trace.Exchange; exchange != nil {
		opts.Observe = func(r httpwire.Request, took time.Duration) { exchange(Exchange{r.Protocol, r.Phase, r.Step, took}) }
	}
	d.wire = httpwire.NewClient(opts)
	return d, nil
}

// ParseAddress checks a plug's address, a host or host:port, and returns it
// with the port, the same for all spellings.
func ParseAddress(address string) (string, error) {
	switch {
	case strings.Contains(address, "@"): // perhaps with a password in front, so it is not quoted
		return "", errors.New("the address has a user in it: want a host or host:port")
	case strings.Contains(address, "/"):
		return "", fmt.Errorf("address %q: want a host or host:port, without http:// and without a path", address)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil { // no port
		host, port = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]"), "80"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("address %q: the port must be a number from 1 to 65535", address)
	}
	if strings.Contains(host, ":") || strings.Trim(host, "0123456789.") == "" {
		ip, err := netip.ParseAddr(host)
		if err != nil {
			return "", fmt.Errorf("address %q: not an IP address", address)
		}
		host = ip.Unmap().String()
	} else if strings.ContainsAny(host, "?#%[]\\ \t\r\n") {
		return "", fmt.Errorf("address %q: not a host name", address)
	}
	return net.JoinHostPort(strings.ToLower(strings.TrimSuffix(host, ".")), strconv.FormatUint(n, 10)), nil
}

// Protocol returns what the live session speaks, "" when there is none.
func (d *Device) Protocol() Protocol { return d.live.Load().(Protocol) }

// Components returns what the plug has listed in component_nego, and the
// versions of that; nil before it has. It waits for a read in flight.
func (d *Device) Components() map[string]int {
	d.busy <- struct{}{}
	defer func() { <-d.busy }()
	return maps.Clone(d.learnt.plug.components)
}

// Close gives up the session and its connection, waiting for a read in flight.
// The device stays usable: the next read logs in again.
func (d *Device) Close() {
	d.busy <- struct{}{}
	defer func() { <-d.busy }()
	if d.predecessor != nil {
		d.predecessor.Close()
	}
	d.drop()
	d.idle.Stop()
	d.wire.Close()
}

// Replace makes d, which must be new, the successor of another device of the same
// plug, so that a new configuration does not undo what was learnt: that the plug
// has been seen to speak a newer protocol and, if the credentials are the same,
// how long a rejected login must rest. The first read of d waits until old has
// finished, and closes it; old must not be used any more.
func (d *Device) Replace(old *Device) { d.predecessor = old }

// takeOver ends the predecessor's conversation and takes its memory. d is busy.
func (d *Device) takeOver(ctx context.Context) error {
	old := d.predecessor
	if old == nil {
		return nil
	}
	select {
	case old.busy <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-old.busy }()
	if err := old.takeOver(ctx); err != nil {
		return err
	}
	old.drop()
	old.idle.Stop()
	old.wire.Close()
	d.memory = old.memory
	if d.cfg.Credentials != old.cfg.Credentials {
		d.memory.rejected, d.memory.loginVer = rejection{}, 0
		d.cfg.Guard.rest.end(d.cfg.Now())
	}
	if d.cfg.Address != old.cfg.Address { // what refused us there may be another plug
		d.memory.rejected = rejection{}
	}
	d.predecessor = nil
	return nil
}
