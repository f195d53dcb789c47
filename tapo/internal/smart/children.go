// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
)

// A strip lists its children with their state, in the same batch as get_device_info. The
// meter of a child is read with control_child: one exchange for each child with a meter,
// because the replies to several control_child in one batch would look the same. So a warm
// read of a strip takes one exchange, and one more for each metered outlet
// (docs/protocols.md "What it costs a plug").

const (
	// maxChildren bounds the entries of a list. The largest strip on record, P316M, has
	// six.
	maxChildren = 16
	// stripExchanges is the number of extra exchanges that a read of a strip may take,
	// and outletExchanges the number for each outlet with a meter.
	stripExchanges  = 2
	outletExchanges = 2
)

// childReplies has the replies of a child in one read.
type childReplies struct {
	unit *unit
	got  *replies
}

// readChildren reads a strip's children. Other plugs have none.
func (d *Dialect) readChildren(ctx context.Context, got *replies) ([]childReplies, error) {
	children, err := d.listChildren(ctx, got)
	if err != nil || len(children) == 0 {
		return nil, err
	}
	metered := 0
	for _, c := range children {
		if len(d.missing(c.unit, c.got)) > 0 {
			metered++
		}
	}
	d.budget.Grant(stripExchanges + metered*outletExchanges)
	for _, c := range children {
		if !c.unit.isChild() {
			continue // control_child needs an id
		}
		if err := d.askAll(ctx, c.unit, c.got); err != nil {
			return nil, err
		}
	}
	return children, nil
}

// listChildren returns a strip's children that are outlets. Other plugs have none.
func (d *Dialect) listChildren(ctx context.Context, got *replies) ([]childReplies, error) {
	if !d.mayBeStrip(got) {
		return nil, nil
	}
	if err := d.readPages(ctx, got); err != nil {
		return nil, err
	}
	return d.identifyChildren(got), nil
}

// readPages reads the further pages of lists.
func (d *Dialect) readPages(ctx context.Context, got *replies) error {
	for _, m := range methods {
		for before := -1; m.pages != nil && got.of(m).state == answered && d.budget.Left() > 0; {
			_, have, all := m.pages(got)
			if have >= all || have == before { // complete, or the plug sends nothing new
				break
			}
			if _, err := d.ask(ctx, &d.profile.plug, []*method{m}, got); err != nil {
				return err
			}
			before = have
		}
	}
	return nil
}

// identifyChildren returns the children that are outlets in the order of their numbers,
// each with its unit.
func (d *Dialect) identifyChildren(got *replies) []childReplies {
	p := &d.profile
	if got.of(getChildDeviceList).state != answered {
		return p.lastChildren()
	}
	listed := outletsOf(got.children)
	before := p.children
	if got.of(getChildComponentList).state == answered {
		before = nil // their components may have changed
	}
	p.children = make(map[string]*unit, len(listed))
	children := make([]childReplies, len(listed))
	known := func(id string) int {
		if u := before[id]; u != nil {
			return u.number
		}
		return 0
	}
	for i, number := range numbers(listed, known) {
		c := &listed[i]
		id := string(c.DeviceID)
		u := before[id]
		if u == nil {
			u = &unit{id: id, components: got.childComponents[id]}
		}
		if id != "" {
			p.children[id] = u
		}
		if c.Power.Valid { // the list includes the result of get_protection_power
			u.protection = c.protectionPower
			u.record(getProtectionPower).filed = d.opts.Now()
		}
		if !c.DeviceOn.Valid {
			c.DeviceOn = c.OnOff
		}
		u.number, u.name = number, c.Nickname
		children[i] = childReplies{u, newReplies()}
		children[i].got.info = c.deviceInfo
	}
	slices.SortFunc(children, func(a, b childReplies) int { return cmp.Compare(a.unit.number, b.unit.number) })
	return children
}

// lastChildren returns the children that the plug has listed before. Their meters can be
// read without the list, but their state is not known.
func (p *profile) lastChildren() []childReplies {
	children := make([]childReplies, 0, len(p.children))
	for _, u := range p.children {
		c := childReplies{u, newReplies()}
		c.got.info = deviceInfo{DeviceID: lenient.Text(u.id), Nickname: u.name}
		children = append(children, c)
	}
	slices.SortFunc(children, func(a, b childReplies) int { return cmp.Compare(a.unit.number, b.unit.number) })
	return children
}

// outletsOf returns the children that are outlets. Hubs list sensors, and an entry may be
// damaged.
func outletsOf(children []child) []child {
	outlets := make([]child, 0, len(children))
	for _, c := range children[:min(len(children), maxChildren)] {
		damaged := c.DeviceID == "" && !c.DeviceOn.Valid && !c.OnOff.Valid
		if !damaged && (c.Category == "" || strings.HasPrefix(string(c.Category), "plug.")) {
			outlets = append(outlets, c)
		}
	}
	return outlets
}

// numbers returns the numbers of outlets, which are their positions. If a position is
// missing or not unique, the number is the one that the outlet had before, or else the
// lowest free one. The order of the list does not matter: P300 1.0.15 and P306 list in
// reverse (python-kasa's recordings, tests/fixtures/smart).
func numbers(children []child, known func(id string) int) []int {
	order := make([]int, len(children))
	for i := range order {
		order[i] = i
	}
	position := func(i int) int {
		p := children[i].Position
		if n := int(p.Value); p.Valid && p.Value >= 1 && p.Value <= maxChildren && float64(n) == p.Value {
			return n
		}
		return maxChildren + 1
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(position(a), position(b)), cmp.Compare(children[a].DeviceID, children[b].DeviceID))
	})
	numbers, taken := make([]int, len(children)), map[int]bool{}
	for _, i := range order {
		if n := position(i); n <= maxChildren && !taken[n] {
			numbers[i], taken[n] = n, true
		}
	}
	for _, i := range order {
		if n := known(string(children[i].DeviceID)); numbers[i] == 0 && n > 0 && !taken[n] {
			numbers[i], taken[n] = n, true
		}
	}
	free := 1
	for _, i := range order {
		if numbers[i] != 0 {
			continue
		}
		for taken[free] {
			free++
		}
		numbers[i], taken[free] = free, true
	}
	return numbers
}
