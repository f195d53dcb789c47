// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package plug

// MethodReply is a plug's reply to a method, once its values are known or given up.
type MethodReply struct {
	Method string // get_energy_usage
	Outlet int    // of a strip, 0 if the plug itself was asked
	Code   int    // the plug's error_code; 0 unless it has refused the method
	Err    error  // why the reply has no values, nil if it has some
}
