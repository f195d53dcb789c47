// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package httpwire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/tdp"
)

// After a power cut, firmware 1.4.6 opens its TCP port when a discovery probe
// arrives over UDP, or after eight minutes
// (petretiandrea/home-assistant-tapo-p100#958).
const (
	// wakePause is how long a plug gets to open its port.
	wakePause = time.Second
	// wakeRoom is the least time that must be left before the deadline.
	wakeRoom = 2 * time.Second
)

// dial connects to the plug, waking it if it refuses.
func (c *Client) dial(ctx context.Context) (*conn, error) {
	dialled, err := c.opts.DialContext(ctx, "tcp", c.endpoint.Address)
	if refused(err) && c.wake(ctx) {
		dialled, err = c.opts.DialContext(ctx, "tcp", c.endpoint.Address)
	}
	if err != nil {
		return nil, err
	}
	if c.endpoint.TLS == nil {
		return newConn(dialled), nil
	}
	secure := tls.Client(dialled, c.endpoint.TLS)
	if err := secure.HandshakeContext(ctx); err != nil {
		dialled.Close()
		return nil, err
	}
	return newConn(secure), nil
}

// wake sends the plug a discovery probe and waits for wakePause. It does so once
// after Begin, and only if enough time is left. It reports whether to connect again.
func (c *Client) wake(ctx context.Context) bool {
	if end, ok := ctx.Deadline(); c.woken || ok && time.Until(end) < wakeRoom {
		return false
	}
	c.woken = true
	if err := c.sendWakeUp(ctx); err != nil {
		c.opts.Logger.DebugContext(ctx, "No wake-up could be sent", "err", err)
		return false
	}
	c.opts.Logger.DebugContext(ctx, "The plug refuses connections, waking it with a discovery probe", "pause", wakePause)
	pause := time.NewTimer(wakePause)
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *Client) sendWakeUp(ctx context.Context) error {
	host, _, err := net.SplitHostPort(c.endpoint.Address)
	if err != nil {
		return err
	}
	udp, err := c.opts.DialContext(ctx, "udp", net.JoinHostPort(host, strconv.Itoa(tdp.Port)))
	if err != nil {
		return err
	}
	defer udp.Close()
	_, err = udp.Write(tdp.Empty())
	return err
}

// refused reports whether the host refuses the connection: nothing listens there.
func refused(err error) bool {
	const windows = syscall.Errno(10061)
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, windows)
}
