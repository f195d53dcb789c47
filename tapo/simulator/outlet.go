// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"strconv"
	"time"
)

// Outlet is an outlet of a strip.
type Outlet struct {
	Name string // in the app
	Load Load   // nil draws no power
	Off  bool   // starts switched off
}

// outlet is an [Outlet] of a started plug.
type outlet struct {
	Outlet
	id    string // device_id
	meter meter
}

// unit executes methods: the plug itself, or an outlet of a strip.
type unit struct {
	prefix     string  // of the methods' names in Refuse and Answer
	child      *outlet // nil for the plug itself
	number     int     // of the child, from 1
	strip      *Strip
	meter      *meter
	now        sample
	components []Component
	emeter     bool
	noPower    bool
}

func (u unit) has(id string, version int) bool { return has(u.components, id, version) }

// startOutlets makes the outlets of the model.
func (p *Plug) startOutlets(location *time.Location) {
	if p.Model.Strip == nil {
		return
	}
	for i := range p.Model.Strip.Outlets {
		s := &outlet{id: p.identity.deviceID + "0" + strconv.Itoa(i)}
		s.Name = "Socket " + strconv.Itoa(i+1)
		if i < len(p.Outlets) {
			s.Outlet = p.Outlets[i]
		}
		s.meter = newMeter(s.Load, !s.Off, location, p.SetUp, p.Now())
		p.outlets = append(p.outlets, s)
	}
}

// plugUnit returns the plug itself. A P316M reports energy of its own, which is at most
// that of one outlet (python-kasa's recordings). Here it is that of the first.
func (p *Plug) plugUnit() unit {
	m := &p.meter
	if len(p.outlets) > 0 {
		m = &p.outlets[0].meter
	}
	return unit{meter: m, now: m.sample(p.Now()), components: p.Model.Components, emeter: p.Model.Emeter}
}

// outletUnit returns an outlet of a strip, counted from 0.
func (p *Plug) outletUnit(i int) unit {
	s, strip := p.outlets[i], p.Model.Strip
	return unit{
		prefix: strconv.Itoa(i+1) + "/", child: s, number: i + 1, strip: strip, meter: &s.meter, now: s.meter.sample(p.Now()),
		components: strip.Components, emeter: strip.Emeter, noPower: strip.NoPower,
	}
}

// SetOutlet switches an outlet of a strip, counted from 1.
func (p *Plug) SetOutlet(number int, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outlets[number-1].meter.setRelay(on, p.Now())
}

// pageSize is the number of entries of a list in one reply. No strip on record has
// more than one page.
const pageSize = 10

// childInfo is an entry of get_child_device_list.
type childInfo struct {
	*deviceInfo
	OriginalID        string `json:"original_device_id"`
	Category          string `json:"category"`
	Position          int    `json:"position"`
	SlotNumber        int    `json:"slot_number"` // the number of outlets, the same for all
	BindCount         int    `json:"bind_count"`
	FollowEdge        bool   `json:"status_follow_edge"`
	USB               *bool  `json:"is_usb,omitempty"`
	Brightness        int    `json:"brightness,omitempty"`
	OnOff             *int   `json:"on_off,omitempty"`
	ProtectionEnabled *bool  `json:"protection_enabled,omitempty"`
	ProtectionPower   int    `json:"protection_power,omitempty"`
}

// listChildren returns the result of a method that lists children, nil for others.
func (p *Plug) listChildren(c call) any {
	if c.Method != "get_child_device_list" && c.Method != "get_child_device_component_list" {
		return nil
	}
	all, start := len(p.outlets), max(c.Params.Start, 0)
	list := []any{} // not nil, since the JSON must not be null
	for i := start; i < min(start+pageSize, all); i++ {
		n := i
		if p.Model.Strip.Reversed {
			n = all - 1 - i
		}
		if u := p.outletUnit(n); c.Method == "get_child_device_list" {
			list = append(list, p.childInfo(u))
		} else {
			list = append(list, map[string]any{"device_id": u.child.id, "component_list": u.components})
		}
	}
	name := "child_device_list"
	if c.Method != "get_child_device_list" {
		name = "child_component_list"
	}
	return map[string]any{name: list, "start_index": start, "sum": all}
}

func (p *Plug) childInfo(u unit) childInfo {
	strip := u.strip
	info := childInfo{
		deviceInfo: p.deviceInfo(u), OriginalID: p.identity.deviceID, Category: "plug.powerstrip.sub-plug",
		Position: u.number, SlotNumber: strip.Outlets, BindCount: 1,
	}
	if strip.Category != "" {
		info.Category = strip.Category
	}
	light := strip.NightLight && u.number == strip.Outlets
	switch {
	case light:
		info.Category, info.Brightness = "plug.powerstrip.sub-bulb", 100
	case strip.USB:
		last := strip.Outlets
		if strip.NightLight {
			last--
		}
		usb := u.number == last
		info.USB = &usb
	case strip.Protection:
		info.ProtectionEnabled, info.ProtectionPower = new(true), limitWatts
	case strip.Emeter:
		on := 0
		if u.now.on {
			on = 1
		}
		info.OnOff = &on
	}
	return info
}

// limitWatts is the power above which plugs switch off.
const limitWatts = 2960

// protectionPower returns the result of get_protection_power. The children of P316M
// name its switch protection_enabled (python-kasa's recordings).
func (u unit) protectionPower() any {
	name := "enabled"
	if u.child != nil {
		name = "protection_enabled"
	}
	return map[string]any{name: true, "protection_power": limitWatts}
}
