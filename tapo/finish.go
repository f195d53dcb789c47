// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

// finish turns the replies of one read into a reading.
func (d *Device) finish(got *replies, sockets []socket) Reading {
	d.learnZone(&got.info)
	r := Reading{Time: d.cfg.Now(), Protocol: d.session.protocol, Info: got.info.info(), RSSI: rssi(got.info.RSSI)}
	if len(sockets) == 0 && got.hasOutlet() && (!d.learnt.isStrip() || got.info.DeviceOn.Valid) {
		d.addOutlet(&r, 1, &d.learnt.plug, got)
	}
	for i := range sockets {
		d.addOutlet(&r, sockets[i].number, sockets[i].part, &sockets[i].got)
	}
	return r
}

// learnZone keeps the zone of the plug's clock.
func (d *Device) learnZone(info *deviceInfo) {
	region, timeDiff := string(info.Region), optional(info.TimeDiff)
	if z := d.learnt.zone; z.region != region || z.timeDiff != timeDiff {
		d.learnt.zone = newZone(region, timeDiff)
	}
}

// addOutlet adds what a part has answered.
func (d *Device) addOutlet(r *Reading, number int, p *part, got *replies) {
	if p.protection != nil {
		got.protection = *p.protection
	}
	clk := readClock(string(got.energy.LocalTime), d.learnt.zone, r.Time)
	r.Outlets = append(r.Outlets, got.outlet(number, clk.wrong))
	if _, known := r.ClockOffset.Get(); !known {
		r.ClockOffset = clk.offset
	}
}
