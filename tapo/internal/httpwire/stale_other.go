// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package httpwire

import "net"

// stale cannot be told here: a request finds it out.
func stale(net.Conn) bool { return false }
