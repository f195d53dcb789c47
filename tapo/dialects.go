// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/budget"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/smart"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
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

// dialectRow is a dialect that devices choose from.
type dialectRow struct {
	// speaks reports whether it is what is spoken over a session.
	speaks func(transport.Session) bool
	open   func(smart.Options) dialect
}

// dialects are all there are. The first that speaks is used.
var dialects = []*dialectRow{
	{speaks: func(transport.Session) bool { return true }, open: func(o smart.Options) dialect { return smart.New(o) }},
}

// openDialect is a dialect at work on one plug.
type openDialect struct {
	row *dialectRow
	dialect
}

// dialectFor returns the dialect of a session: the one at work if it speaks, or a
// new one.
func (d *Device) dialectFor(s transport.Session) dialect {
	for _, row := range dialects {
		if !row.speaks(s) {
			continue
		}
		if d.spoken.row != row {
			d.spoken = openDialect{row, row.open(smart.Options{
				Identify: d.identify, Method: d.cfg.Trace.Method, Logger: d.cfg.Logger, Now: d.cfg.Now,
			})}
		}
		break
	}
	return d.spoken.dialect
}

// identify makes sure that a plug is the one that the configuration wants.
func (d *Device) identify(info Info) error {
	if d.login.isWanted(info.MAC) {
		return nil
	}
	d.login.drop()
	return d.login.anotherPlug(info.MAC)
}
