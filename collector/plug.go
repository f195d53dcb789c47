// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"strconv"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// plug is a finished read: the network has been talked to before anything is
// exposed.
type plug struct {
	reading tapo.Reading
	reason  tapo.Reason // "" if the read succeeded
	took    time.Duration
}

// expose makes the series of a read, to be released when they have been sent.
// Only what the plug gave becomes one. There is no registry: it would describe,
// check and sort on every probe what is always the same.
func (p plug) expose() *series {
	s := seriesPool.Get().(*series)
	s.seconds(probeDuration, tapo.Some(p.took))
	s.flag(up, tapo.Some(p.reason == ""))
	if p.reason != "" {
		s.info(failureInfo, string(p.reason))
		return s
	}
	r := p.reading
	s.info(deviceInfo, r.Info.DeviceID, r.Info.Firmware, r.Info.Hardware, r.Info.MAC, r.Info.Model, r.Info.Name, string(r.Protocol))
	s.value(wifiRSSI, r.RSSI)
	s.seconds(clockOffset, r.ClockOffset)
	for _, o := range r.Outlets {
		s.outlet(o)
	}
	return s
}

func (s *series) outlet(o tapo.Outlet) {
	n := strconv.Itoa(o.Number)
	s.info(outletInfo, o.Name, n)
	outlet := []*dto.LabelPair{{Name: &outletOn.labels[0], Value: &n}}
	s.flag(outletOn, o.On, outlet...)
	s.seconds(outletOnSeconds, o.OnFor, outlet...)
	s.value(powerWatts, o.Power, outlet...)
	s.value(voltageVolts, o.Voltage, outlet...)
	s.value(currentAmperes, o.Current, outlet...)
	s.value(energyTotal, o.EnergyMonth, outlet...)
	s.value(energyToday, o.EnergyToday, outlet...)
	s.value(energyMonth, o.EnergyMonth, outlet...)
	s.seconds(onToday, o.OnToday, outlet...)
	s.seconds(onMonth, o.OnMonth, outlet...)
	s.value(powerLimit, o.PowerLimit, outlet...)
	s.flag(overheated, o.Overheated, outlet...)
	s.flag(overloaded, o.Overloaded, outlet...)
	s.flag(overcurrent, o.Overcurrent, outlet...)
	s.flag(chargingFinished, o.ChargingFinished, outlet...)
}
