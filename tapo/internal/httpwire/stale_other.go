// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package httpwire

import "net"

// stale reports false: these systems have no portable way to look. The next request
// fails on a closed connection and is sent again.
func stale(net.Conn) bool { return false }
