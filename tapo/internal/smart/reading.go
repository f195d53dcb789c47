// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"encoding/base64"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
	"github.com/tapo-exporter/tapo_exporter/tapo/safetext"
)

// reading returns the reading of a read. The caller sets its protocol.
func (d *Dialect) reading(got *replies, children []childReplies) plug.Reading {
	d.learnZone(got)
	r := plug.Reading{Time: d.opts.Now(), Info: d.profile.info, RSSI: rssi(got.info.RSSI)}
	if len(children) == 0 && got.hasOutlet() && (!d.profile.isStrip() || got.info.DeviceOn.Valid) {
		d.addOutlet(&r, 1, &d.profile.plug, got)
	}
	if len(r.Outlets) == 1 { // which has its name from get_device_info, in this read or an earlier one
		r.Outlets[0].Name = r.Info.Name
	}
	for i := range children {
		d.addOutlet(&r, children[i].unit.number, children[i].unit, children[i].got)
	}
	return r
}

// learnZone stores the zone of the plug's clock in the profile.
func (d *Dialect) learnZone(got *replies) {
	if got.of(getDeviceInfo).state != answered {
		return
	}
	info := &got.info
	region, timeDiff := string(info.Region), optional(info.TimeDiff)
	if z := d.profile.zone; z.region != region || z.timeDiff != timeDiff {
		d.profile.zone = newZone(region, timeDiff)
	}
}

// addOutlet adds the outlet of a unit.
func (d *Dialect) addOutlet(r *plug.Reading, number int, u *unit, got *replies) {
	clk := readClock(string(got.energy.LocalTime), d.profile.zone, r.Time)
	r.Outlets = append(r.Outlets, got.outlet(u, number, clk.wrong))
	if _, known := r.ClockOffset.Get(); !known {
		r.ClockOffset = clk.offset
	}
}

func (i *deviceInfo) info() plug.Info {
	return plug.Info{
		DeviceID: shown(i.DeviceID),
		MAC:      shown(i.MAC),
		Model:    shown(i.Model),
		Hardware: shown(i.Hardware),
		Firmware: shown(i.Firmware),
		Name:     decodeName(i.Nickname),
	}
}

// shown returns a text of the plug as readings have it: on one line, and bounded. Each is a
// label of a series.
func shown(t lenient.Text) string {
	return safetext.Bound(safetext.Clean(string(t)), plug.MaxText)
}

// hasOutlet reports whether the device has an outlet. Hubs have none.
func (r *replies) hasOutlet() bool {
	kind := strings.ToUpper(string(r.info.Type))
	return strings.Contains(kind, "PLUG") || r.info.DeviceOn.Valid || r.of(getEnergyUsage).state == answered || r.of(getEmeterData).state == answered
}

// outlet returns an outlet's values in base units. If the clock is wrong, it leaves out the
// values of the day and the month.
func (r *replies) outlet(u *unit, number int, clockWrong bool) plug.Outlet {
	o := plug.Outlet{
		Number:  number,
		Name:    decodeName(r.info.Nickname),
		On:      optionalFlag(r.info.DeviceOn),
		OnFor:   onFor(r.info),
		Voltage: scaled(r.emeter.VoltageMV, 1e-3, maxVolts),
		Current: scaled(r.emeter.CurrentMA, 1e-3, maxAmperes),

		Overheated:       oneOf(r.info.OverheatStatus, "overheated", "normal", "cool_down"),
		Overloaded:       oneOf(r.info.PowerProtectionStatus, "overloaded", "normal"),
		Overcurrent:      oneOf(r.info.OvercurrentStatus, "lifted", "normal"),
		ChargingFinished: oneOf(r.info.ChargingStatus, "finished", "normal"),
	}
	if _, ok := o.Overheated.Get(); !ok {
		o.Overheated = optionalFlag(r.info.Overheated)
	}
	o.Power = first(watts(r.emeter.PowerMW, 1e-3), watts(r.energy.CurrentPower, 1e-3), watts(r.power, 1))
	if e := &r.energy; !clockWrong {
		o.EnergyToday = energy(e.TodayEnergyMWh, e.TodayEnergy)
		o.EnergyMonth = energy(e.MonthEnergyMWh, e.MonthEnergy)
		o.ReturnedToday = energy(e.TodayReturnedMWh, e.TodayReturned)
		o.ReturnedMonth = energy(e.MonthReturnedMWh, e.MonthReturned)
		o.OnToday = duration(r.energy.TodayRuntime, time.Minute)
		o.OnMonth = duration(r.energy.MonthRuntime, time.Minute)
	}
	if u.protection.Enabled.Value || u.protection.ProtectionEnabled.Value {
		o.PowerLimit = scaled(u.protection.Power, 1, maxWatts)
	}
	return o
}

// onFor returns for how long an outlet has been on. Some firmware keeps the time of the
// last use while the outlet is off.
func onFor(info deviceInfo) plug.Optional[time.Duration] {
	if info.OnTime.Valid && info.DeviceOn.Valid && !info.DeviceOn.Value {
		return plug.Some(time.Duration(0))
	}
	return duration(info.OnTime, time.Second)
}

// decodeName decodes a nickname. It is base64 of UTF-8; any other text is returned
// unchanged.
func decodeName(nickname lenient.Text) string {
	if b, err := base64.StdEncoding.DecodeString(string(nickname)); err == nil && utf8.Valid(b) {
		nickname = lenient.Text(b)
	}
	return shown(lenient.Text(strings.TrimSpace(string(nickname))))
}

// first returns the first value that there is.
func first(values ...plug.Optional[float64]) plug.Optional[float64] {
	for _, v := range values {
		if _, ok := v.Get(); ok {
			return v
		}
	}
	return plug.Optional[float64]{}
}

const joulesPerWh = 3600

// energy converts a counter to joules, from mWh if the plug reports them.
func energy(mWh, wh lenient.Number) plug.Optional[float64] {
	mWh.Value *= joulesPerWh
	return first(scaled(mWh, 1e-3, maxJoules), scaled(wh, joulesPerWh, maxJoules))
}

// Limits that no plug reaches, by a wide margin. A larger number is damaged.
const (
	maxWatts   = 1e5
	maxVolts   = 1e3
	maxAmperes = 1e3
	maxJoules  = maxWatts * 31 * 24 * joulesPerWh
	maxRSSI    = 200 // dBm, either way
)

// scaled converts a quantity without a direction to its base unit. A negative number is
// left out: some plugs have reported them, without a meaning (python-kasa's recordings,
// tests/fixtures/smart).
func scaled(n lenient.Number, factor, most float64) plug.Optional[float64] {
	v := times(n, factor)
	return plug.Maybe(v, n.Valid && v >= 0 && v <= most)
}

// watts converts a power. A negative one is fed back.
func watts(n lenient.Number, factor float64) plug.Optional[float64] {
	v := times(n, factor)
	return plug.Maybe(v, n.Valid && math.Abs(v) <= maxWatts)
}

func times(n lenient.Number, factor float64) float64 {
	if factor == 1e-3 {
		return n.Value / 1e3 // exact where a product is not: 0.001 has no binary form
	}
	return n.Value * factor
}

// duration converts a number of units. More than a century is left out.
func duration(n lenient.Number, unit time.Duration) plug.Optional[time.Duration] {
	const century = 100 * 365 * 24 * time.Hour
	if !n.Valid || n.Value < 0 || n.Value > float64(century/unit) {
		return plug.Optional[time.Duration]{}
	}
	return plug.Some(time.Duration(n.Value * float64(unit)))
}

func rssi(n lenient.Number) plug.Optional[float64] {
	return plug.Maybe(n.Value, n.Valid && math.Abs(n.Value) <= maxRSSI)
}

func optional(n lenient.Number) plug.Optional[float64] { return plug.Maybe(n.Value, n.Valid) }

func optionalFlag(f lenient.Flag) plug.Optional[bool] { return plug.Maybe(f.Value, f.Valid) }

// oneOf converts a status: true for one word, false for the given others, and absent for any
// other word.
func oneOf(status lenient.Text, yes lenient.Text, no ...lenient.Text) plug.Optional[bool] {
	if status != yes && !slices.Contains(no, status) {
		return plug.Optional[bool]{}
	}
	return plug.Some(status == yes)
}
