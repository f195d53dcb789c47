// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"context"
	"net"
	"syscall"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
)

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	for name, cfg := range map[string]tapo.Config{
		"refused": {Address: address},
		"no such name": {Address: "plug.lan", DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "plug.lan", IsNotFound: true}}
		}},
		"no route": {Address: "plug.lan", DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := tapo.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			plugtest.Fails(t, d, tapo.Unreachable)
		})
	}
}

func TestNotHTTP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n"))
			c.Close()
		}
	}()
	d, err := tapo.New(tapo.Config{Address: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	plugtest.Fails(t, d, tapo.NotAPlug)
}
