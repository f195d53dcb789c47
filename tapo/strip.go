// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// A strip lists its sockets with their state; that comes with the strip's own
// get_device_info in one exchange. What a socket's meter says has to be asked of
// the socket, with control_child: one exchange for each that has one, since
// replies to several of these could not be told apart. So a warm read of a strip
// takes one exchange, and one more for every metered socket.

const (
	// maxChildren is how many entries are taken of a list; the largest strip has six.
	maxChildren = 64
	// stripExchanges is how many exchanges more than others the read of a strip
	// may take, and socketExchanges how many for each socket that has a meter.
	stripExchanges  = 2
	socketExchanges = 2
)

// grant allows the read under way so many exchanges more than it began with.
func (d *Device) grant(more int) {
	if more > d.granted {
		d.wire.Extend(more - d.granted)
		d.granted = more
	}
}

// socket is one of a strip's, with what it has answered in this read.
type socket struct {
	number int // from 1
	part   *part
	got    replies
}

// readSockets asks for what a strip's sockets have to say beyond the list of
// them. There are none on other plugs.
func (d *Device) readSockets(ctx context.Context, got *replies) ([]socket, error) {
	sockets, err := d.listSockets(ctx, got)
	if err != nil || len(sockets) == 0 {
		return nil, err
	}
	metered := 0
	for i := range sockets {
		if len(d.missing(sockets[i].part, &sockets[i].got)) > 0 {
			metered++
		}
	}
	d.grant(stripExchanges + metered*socketExchanges)
	for i := range sockets {
		s := &sockets[i]
		if s.part.id == "" {
			continue // which cannot be asked
		}
		if err := d.askAll(ctx, s.part, &s.got); err != nil {
			return nil, err
		}
	}
	return sockets, nil
}

// listSockets returns a strip's sockets; there are none on other plugs.
func (d *Device) listSockets(ctx context.Context, got *replies) ([]socket, error) {
	if !d.mayBeStrip(got) {
		return nil, nil
	}
	if err := d.readPages(ctx, got); err != nil {
		return nil, err
	}
	return d.identifySockets(got), nil
}

// readPages asks for the rest of lists that do not fit in one reply.
func (d *Device) readPages(ctx context.Context, got *replies) error {
	for _, m := range []method{getChildDeviceList, getChildComponentList} {
		for before := -1; got.state[m] == answered && d.wire.Left() > 0; {
			have, all := got.listed(m)
			if have >= all || have == before { // or the plug repeats itself
				break
			}
			if err := d.ask(ctx, &d.learnt.plug, []method{m}, got); err != nil {
				return err
			}
			before = have
		}
	}
	return nil
}

// listed returns how many entries of a list are at hand, and how many there are.
func (r *replies) listed(m method) (have, all int) {
	switch m {
	case getChildDeviceList:
		return len(r.children), r.numChildren
	case getChildComponentList:
		return r.gotComponents, r.numComponents
	}
	return 0, 0
}

// identifySockets returns the sockets in the order of their numbers, each with
// what is known of it.
func (d *Device) identifySockets(got *replies) []socket {
	l := &d.learnt
	children := socketsOf(got.children)
	if got.state[getChildDeviceList] == answered && (l.sockets == nil || got.state[getChildComponentList] == answered) {
		l.sockets = map[string]*part{}
	}
	sockets := make([]socket, len(children))
	known := func(id string) int {
		if p := l.sockets[id]; p != nil {
			return p.number
		}
		return 0
	}
	for i, number := range numbers(children, known) {
		c := &children[i]
		id := string(c.DeviceID)
		p := l.sockets[id]
		if p == nil {
			p = &part{id: id, components: got.socketComponents[id]}
			if id != "" && l.sockets != nil {
				l.sockets[id] = p
			}
		}
		if c.Power.Valid {
			p.protection = &c.protectionPower
		}
		if !c.DeviceOn.Valid {
			c.DeviceOn = c.OnOff
		}
		p.number = number
		sockets[i] = socket{number: number, part: p}
		sockets[i].got.info = c.deviceInfo
	}
	slices.SortFunc(sockets, func(a, b socket) int { return cmp.Compare(a.number, b.number) })
	return sockets
}

// socketsOf returns the children that are sockets. Hubs list sensors, and an
// entry may be damaged.
func socketsOf(children []child) []child {
	sockets := make([]child, 0, len(children))
	for _, c := range children[:min(len(children), maxChildren)] {
		damaged := c.DeviceID == "" && !c.DeviceOn.Valid && !c.OnOff.Valid
		if !damaged && (c.Category == "" || strings.HasPrefix(string(c.Category), "plug.")) {
			sockets = append(sockets, c)
		}
	}
	return sockets
}

// numbers returns what the sockets are called: their positions. Where a strip
// gives none, or one twice, it is the number that the socket had before, or the
// lowest that is free, whatever the order of the list.
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
