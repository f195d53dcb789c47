// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package httpwire

import (
	"crypto/tls"
	"net"
	"syscall"
	"time"
)

// stale reports whether the other side has closed a connection on which nothing
// is to be read yet, without waiting. It is the reading that finds out: a
// request would be lost on such a connection, or have to be sent twice.
func stale(c net.Conn) bool {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil || c.SetReadDeadline(time.Time{}) != nil { // the last exchange's may have passed
		return true
	}
	var nothing error
	err = raw.Read(func(fd uintptr) bool {
		var buf [1]byte
		_, nothing = syscall.Read(int(fd), buf[:])
		return true // never wait
	})
	return err != nil || nothing != syscall.EAGAIN && nothing != syscall.EINTR
}
