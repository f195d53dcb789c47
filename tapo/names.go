// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// Protocol and what follows it are the names of package plug, for those who use
// nothing else of it.
type (
	Protocol    = plug.Protocol
	Phase       = plug.Phase
	Credentials = plug.Credentials
	Secret      = plug.Secret
	Reading     = plug.Reading
	Info        = plug.Info
	Outlet      = plug.Outlet
	Description = plug.Description
	EnergySlot  = plug.EnergySlot
	PowerSlot   = plug.PowerSlot
	Interval    = plug.Interval

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
