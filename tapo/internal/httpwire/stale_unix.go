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

// stale reports, without waiting, whether the other side has closed an idle
// connection or sent something on it. A request on such a connection would be lost
// and would have to be sent twice. A read without waiting returns EAGAIN on a
// connection that is still good.
func stale(c net.Conn) bool {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil || c.SetReadDeadline(time.Time{}) != nil { // the deadline of the last exchange may have passed
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
