// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package plug has the types that package tapo shares with its transports and
// dialects: readings, histories, protocols and credentials. Package tapo has
// aliases of them for its users.
package plug

// Protocol is one of the local protocols of plugs.
type Protocol string

// The three protocols, one per firmware generation.
const (
	TPAP        Protocol = "tpap"        // firmware from 1.4 on
	KLAP        Protocol = "klap"        // 2023 on, and newer firmware with Third-Party Compatibility
	Passthrough Protocol = "passthrough" // securePassthrough, before the middle of 2023
)

// Phase is what an exchange with a plug is for.
type Phase string

// The phases of a conversation, in their order.
const (
	Ask   Phase = "ask"   // what the plug speaks; no credentials take part
	LogIn Phase = "login" // what makes a session
	Read  Phase = "read"  // a request over a session
)
