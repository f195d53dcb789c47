// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

type (
	// Protocol is [plug.Protocol], one of the local protocols of plugs.
	Protocol = plug.Protocol
	// Phase is [plug.Phase], what an exchange is for.
	Phase = plug.Phase
	// Credentials are [plug.Credentials], those of a TP-Link account.
	Credentials = plug.Credentials
	// Secret is [plug.Secret], a string that is never shown.
	Secret = plug.Secret
	// Reading is [plug.Reading], what a plug said in one read.
	Reading = plug.Reading
	// Info is [plug.Info], what identifies a plug.
	Info = plug.Info
	// Outlet is [plug.Outlet], what is switched and metered.
	Outlet = plug.Outlet
	// Description is [plug.Description], what a plug says of itself beside what it
	// measures.
	Description = plug.Description
	// EnergySlot is [plug.EnergySlot], energy in a slot of a history.
	EnergySlot = plug.EnergySlot
	// PowerSlot is [plug.PowerSlot], average power in a slot of a history.
	PowerSlot = plug.PowerSlot
	// MethodReply is [plug.MethodReply], a plug's reply to a method.
	MethodReply = plug.MethodReply
	// Interval is [plug.Interval], how wide the slots of a history are.
	Interval = plug.Interval
	// Optional is a value that the plug may not have given.
	Optional[T any] = plug.Optional[T]
)

// The protocols, phases and intervals of package plug.
const (
	TPAP        = plug.TPAP
	KLAP        = plug.KLAP
	Passthrough = plug.Passthrough

	PhaseAsk   = plug.Ask
	PhaseLogIn = plug.LogIn
	PhaseRead  = plug.Read

	FiveMinutes = plug.FiveMinutes
	Hourly      = plug.Hourly
	Daily       = plug.Daily
	Monthly     = plug.Monthly
)

// Errors of what a plug remembers, see package plug.
var (
	ErrNoHistory = plug.ErrNoHistory
	ErrNoClock   = plug.ErrNoClock
	ErrNoZone    = plug.ErrNoZone
)

// Some returns an optional that has a value.
func Some[T any](v T) Optional[T] { return plug.Some(v) }

// ParseMAC is [plug.ParseMAC].
func ParseMAC(text string) string { return plug.ParseMAC(text) }

// StartOfDay is [plug.StartOfDay].
func StartOfDay(year int, month time.Month, day int, loc *time.Location) time.Time {
	return plug.StartOfDay(year, month, day, loc)
}
