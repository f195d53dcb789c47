// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Network connects plugs and clients within one process, without sockets. Tests in
// the simulated time of testing/synctest need it: that time stands still while a
// goroutine waits for a socket. Set it in plugs, and give its DialContext to their
// clients. The zero value is ready to use. Its methods are safe for concurrent use.
type Network struct {
	mu        sync.Mutex
	listeners map[string]*pipeListener // by host:port
	receivers map[string]func([]byte)  // by host:port
}

// DialContext connects to a plug. If none listens at the address, the error is that
// of a refused connection. A connection of the network "udp" carries datagrams to the
// plug, and none back.
func (n *Network) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	l, receive := n.listeners[address], n.receivers[address]
	n.mu.Unlock()
	if network == "udp" {
		return datagramConn{receive: receive}, nil
	}
	if l == nil {
		return nil, connectionRefused(address)
	}
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return pipeConn{ours}, nil
	case <-l.closed:
		return nil, connectionRefused(address)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func connectionRefused(address string) error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect "+address, syscall.ECONNREFUSED)}
}

func (n *Network) listen(address netip.AddrPort) net.Listener {
	l := &pipeListener{network: n, address: address, conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners == nil {
		n.listeners = map[string]*pipeListener{}
	}
	n.listeners[address.String()] = l
	return l
}

// onDatagram sets the function that receives the datagrams to an address; nil removes
// it.
func (n *Network) onDatagram(address string, receive func([]byte)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.receivers == nil {
		n.receivers = map[string]func([]byte){}
	}
	n.receivers[address] = receive
}

// pipeListener is a listener of a [Network].
type pipeListener struct {
	network *Network
	address netip.AddrPort
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

// Accept implements [net.Listener].
func (p *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (p *pipeListener) Close() error {
	p.once.Do(func() {
		close(p.closed)
		p.network.mu.Lock()
		defer p.network.mu.Unlock()
		if address := p.address.String(); p.network.listeners[address] == p {
			delete(p.network.listeners, address)
		}
	})
	return nil
}

// Addr implements [net.Listener].
func (p *pipeListener) Addr() net.Addr { return net.TCPAddrFromAddrPort(p.address) }

// pipeConn is a pipe with the errors of a socket.
type pipeConn struct{ net.Conn }

// Write implements [net.Conn].
func (s pipeConn) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	if errors.Is(err, io.ErrClosedPipe) {
		err = &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)}
	}
	return n, err
}

// SetDeadline implements [net.Conn].
func (s pipeConn) SetDeadline(t time.Time) error { return unlessClosed(s.Conn.SetDeadline(t)) }

// SetReadDeadline implements [net.Conn].
func (s pipeConn) SetReadDeadline(t time.Time) error { return unlessClosed(s.Conn.SetReadDeadline(t)) }

// unlessClosed drops the error of a closed pipe: with a socket, the next read or
// write returns it.
func unlessClosed(err error) error {
	if errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

// datagramConn is a connection that supports Write and Close only.
type datagramConn struct {
	net.Conn // nil
	receive  func([]byte)
}

// Write implements [net.Conn].
func (d datagramConn) Write(b []byte) (int, error) {
	if d.receive != nil {
		d.receive(b)
	}
	return len(b), nil
}

// Close implements [net.Conn].
func (datagramConn) Close() error { return nil }
