// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"slices"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/budget"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/smart"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/klap"
)

// dialect reads one plug over a session, and keeps between reads which methods the
// plug has. It is used by one conversation at a time.
type dialect interface {
	// Read asks for all that a reading needs, within the budget.
	Read(ctx context.Context, s transport.Session, b *budget.Budget) (Reading, error)
	// Ended records how a conversation has ended. It may have had several sessions.
	Ended(err error)
}

// historian is a dialect of plugs that remember what they have measured. A call
// is for one window of slots, which begins with that of from; next is where the
// next window begins.
type historian interface {
	Describe(ctx context.Context, s transport.Session, b *budget.Budget) (Description, error)
	EnergySlots(ctx context.Context, s transport.Session, b *budget.Budget, outlet int, i Interval, from, to time.Time) (slots []EnergySlot, next time.Time, err error)
	PowerSlots(ctx context.Context, s transport.Session, b *budget.Budget, outlet int, i Interval, from, to time.Time) (slots []PowerSlot, next time.Time, err error)
}

// lister is a dialect of plugs that list their components.
type lister interface {
	Components() map[string]int
}

// Tapo's dialect is both.
var (
	_ historian = (*smart.Dialect)(nil)
	_ lister    = (*smart.Dialect)(nil)
)

// dialectRow is a dialect that devices choose from.
type dialectRow struct {
	// speaks reports whether plugs speak the dialect over a session.
	speaks func(*session) bool
	open   func(smart.Options) dialect
}

// dialects are all there are. The first that is spoken is used.
var dialects = []*dialectRow{
	{speaks: speaksSMART, open: func(o smart.Options) dialect { return smart.New(o) }},
}

// speaksSMART is true of all sessions except those of KLAP with the hashes of old
// Kasa firmware.
func speaksSMART(s *session) bool {
	k, ok := s.Session.(*klap.Session)
	return !ok || k.Version() == klap.V2
}

// openDialect is a dialect at work on one plug.
type openDialect struct {
	row *dialectRow
	dialect
}

// dialectFor returns the dialect of a session: the one at work if plugs speak it
// there, or else a new one.
func (d *Device) dialectFor(s *session) (dialect, error) {
	i := slices.IndexFunc(dialects, func(row *dialectRow) bool { return row.speaks(s) })
	if i < 0 {
		return nil, &failure{reason: Unsupported, protocol: s.over.Protocol(), text: "the plug speaks no dialect that this version does"}
	}
	if row := dialects[i]; d.spoken.row != row {
		d.spoken = openDialect{row, row.open(smart.Options{
			CheckInfo: d.checkMAC, RequireInfo: d.cfg.MAC != "", Method: d.cfg.Trace.Method, Logger: d.cfg.Logger, Now: d.cfg.Now,
		})}
	}
	return d.spoken.dialect, nil
}
