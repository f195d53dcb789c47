// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package httpwire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
)

const maxHead = 16 << 10 // bytes of a reply's status line and headers

// conn is a connection to a plug that carries one exchange at a time.
type conn struct {
	net.Conn
	reader *bufio.Reader
	left   io.LimitedReader // bounds what this exchange may still read
}

func newConn(c net.Conn) *conn {
	cn := &conn{Conn: c}
	cn.left.R = c
	cn.reader = bufio.NewReader(&cn.left)
	return cn
}

// roundTrip sends a message and reads the reply, within ctx. The connection may
// be used again if reusable is true. limit, if it is not nil, returns until when to
// wait for the reply; the time may move to later. After that time the error wraps
// [plugerr.ErrReplyTimeout].
func (c *conn) roundTrip(ctx context.Context, message []byte, limit func() time.Time) (reply Reply, reusable bool, err error) {
	end, _ := ctx.Deadline() // the zero time is none
	if limit == nil {
		limit = func() time.Time { return end }
	}
	until := limit()
	if err := c.SetDeadline(until); err != nil {
		return reply, false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	reply, reusable, err = c.transact(message, func() bool {
		before := until
		until = limit()
		return until.After(before) && ctx.Err() == nil && c.SetDeadline(until) == nil
	})
	if !stop() { // ctx has ended, and has put the deadline into the past or is about to
		reusable = false
	}
	switch {
	case err != nil && ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded) && !until.Equal(end):
		err = plugerr.ErrReplyTimeout
	}
	return reply, reusable, err
}

// transact sends the message and reads the reply. When the deadline passes before
// the reply begins, it waits on if waitOn returns true.
func (c *conn) transact(message []byte, waitOn func() bool) (reply Reply, reusable bool, err error) {
	if _, err := c.Write(message); err != nil {
		return reply, false, noReply(err)
	}
	c.left.N = maxHead
	_, err = c.reader.Peek(1)
	for errors.Is(err, os.ErrDeadlineExceeded) && waitOn() {
		_, err = c.reader.Peek(1)
	}
	if err != nil {
		return reply, false, noReply(err)
	}
	resp, err := http.ReadResponse(c.reader, nil)
	for err == nil && resp.StatusCode < http.StatusOK { // informational: the final response follows
		resp, err = http.ReadResponse(c.reader, nil)
	}
	if err != nil {
		return reply, false, cutShort(err)
	}
	c.left.N += MaxReply
	defer resp.Body.Close()
	reply = Reply{Status: resp.StatusCode, Header: resp.Header}
	if resp.ContentLength > MaxReply {
		return reply, false, fmt.Errorf("%w: %d bytes announced, more than %d", plugerr.ErrBadReply, resp.ContentLength, MaxReply)
	}
	if resp.ContentLength >= 0 {
		reply.Body = make([]byte, resp.ContentLength)
		_, err = io.ReadFull(resp.Body, reply.Body)
	} else {
		reply.Body, err = io.ReadAll(io.LimitReader(resp.Body, MaxReply+1))
	}
	if len(reply.Body) > MaxReply || c.left.N <= 0 {
		return reply, false, fmt.Errorf("%w: more than %d bytes", plugerr.ErrBadReply, MaxReply)
	}
	if err != nil {
		return reply, false, cutShort(err)
	}
	return reply, !resp.Close && c.reader.Buffered() == 0, nil
}

// noReply marks an error that means that the plug closed the connection.
func noReply(err error) error {
	if closed(err) {
		return fmt.Errorf("%w: %w", ErrNoReply, err)
	}
	return err
}

// cutShort marks an error that means that the reply is incomplete.
func cutShort(err error) error {
	if closed(err) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the connection was closed within the reply", plugerr.ErrBadReply)
	}
	if network, ok := errors.AsType[net.Error](err); ok {
		return network
	}
	return fmt.Errorf("not HTTP: %.100s", err.Error()) // net/http quotes the reply
}

func closed(err error) bool {
	const windows = syscall.Errno(10054)
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, windows)
}
