// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

const maxHead = 16 << 10 // bytes of a reply's status line and headers

// conn is a connection to a plug that carries one exchange at a time.
type conn struct {
	net.Conn
	reader *bufio.Reader
	left   io.LimitedReader // what may still be read for this exchange
}

func newConn(c net.Conn) *conn {
	cn := &conn{Conn: c}
	cn.left.R = c
	cn.reader = bufio.NewReader(&cn.left)
	return cn
}

// roundTrip sends a message and reads the reply, within ctx and until a deadline
// if that is not zero. The connection may be used again if reusable is true.
func (c *conn) roundTrip(ctx context.Context, deadline time.Time, message []byte) (reply Reply, reusable bool, err error) {
	if err := c.SetDeadline(deadline); err != nil {
		return reply, false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	reply, reusable, err = c.transact(message)
	if !stop() { // the deadline may be in the past, or will be in a moment
		reusable = false
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return reply, reusable, err
}

func (c *conn) transact(message []byte) (reply Reply, reusable bool, err error) {
	if _, err := c.Write(message); err != nil {
		return reply, false, noReply(err)
	}
	c.left.N = maxHead + MaxReply
	if _, err := c.reader.Peek(1); err != nil {
		return reply, false, noReply(err)
	}
	resp, err := http.ReadResponse(c.reader, nil)
	for err == nil && resp.StatusCode < http.StatusOK { // informational; another one follows
		resp, err = http.ReadResponse(c.reader, nil)
	}
	if err != nil {
		return reply, false, cutShort(err)
	}
	defer resp.Body.Close()
	reply = Reply{Status: resp.StatusCode, Header: resp.Header}
	if resp.ContentLength > MaxReply {
		return reply, false, fmt.Errorf("%w: %d bytes announced, more than %d", ErrBadReply, resp.ContentLength, MaxReply)
	}
	if resp.ContentLength >= 0 {
		reply.Body = make([]byte, resp.ContentLength)
		_, err = io.ReadFull(resp.Body, reply.Body)
	} else {
		reply.Body, err = io.ReadAll(io.LimitReader(resp.Body, MaxReply+1))
	}
	if len(reply.Body) > MaxReply || c.left.N <= 0 {
		return reply, false, fmt.Errorf("%w: more than %d bytes", ErrBadReply, MaxReply)
	}
	if err != nil {
		return reply, false, cutShort(err)
	}
	return reply, !resp.Close && c.reader.Buffered() == 0, nil
}

// noReply marks errors that mean that the plug closed the connection.
func noReply(err error) error {
	if closed(err) {
		return fmt.Errorf("%w: %w", ErrNoReply, err)
	}
	return err
}

// cutShort marks errors that mean that the reply is not whole.
func cutShort(err error) error {
	if closed(err) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the connection was closed within the reply", ErrBadReply)
	}
	return err
}

func closed(err error) bool {
	const windows = syscall.Errno(10054)
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, windows)
}
