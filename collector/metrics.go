// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue

	// outletLabel is the label that every series of an outlet has: its number, "1"
	// on a plug with one outlet.
	outletLabel = "outlet"
)

// metric is a row of the table below.
type metric struct {
	name   string
	kind   prometheus.ValueType
	help   string
	labels []string // sorted; table adds outletLabel to rows with ofOutlet

	// One of these is set. Only ofProbe is called after a failed read.
	ofProbe  func(plugCollector) sample
	ofPlug   func(tapo.Reading) sample
	ofOutlet func(tapo.Outlet) sample

	desc *prometheus.Desc // set by table
}

// sample is the value of a series. Without a value there is no series.
type sample struct {
	value  tapo.Optional[float64]
	labels []string // the values of the row's labels, in their order
}

// table completes the rows, so that no probe has to make a description.
func table(rows []*metric) []*metric {
	for _, m := range rows {
		if m.ofOutlet != nil {
			m.labels = append(m.labels, outletLabel)
		}
		m.desc = prometheus.NewDesc(m.name, m.help, m.labels, nil)
	}
	return rows
}

// plugMetrics is every metric that /probe can have.
var plugMetrics = table([]*metric{
	{
		name: "tapo_up", kind: gauge,
		help:    "1 if the plug was read, 0 if not.",
		ofProbe: func(p plugCollector) sample { return boolean(tapo.Some(p.reason == "")) },
	},
	{
		name: "tapo_probe_duration_seconds", kind: gauge,
		help:    "Time that reading the plug took.",
		ofProbe: func(p plugCollector) sample { return seconds(tapo.Some(p.took)) },
	},
	{
		name: "tapo_probe_failure_info", kind: gauge, labels: []string{"reason"},
		help: "1, with the reason why the plug could not be read.",
		ofProbe: func(p plugCollector) sample {
			if p.reason == "" {
				return sample{}
			}
			return info(string(p.reason))
		},
	},
	{
		name: "tapo_device_info", kind: gauge, labels: []string{"device_id", "firmware", "hardware", "mac", "model", "name", "protocol"},
		help: "1, with what identifies the plug, and the protocol it speaks.",
		ofPlug: func(r tapo.Reading) sample {
			if r.Info == (tapo.Info{}) { // get_device_info has failed
				return sample{}
			}
			return info(r.Info.DeviceID, r.Info.Firmware, r.Info.Hardware, r.Info.MAC, r.Info.Model, r.Info.Name, string(r.Protocol))
		},
	},
	{
		name: "tapo_outlet_info", kind: gauge, labels: []string{"name"},
		help:     "1, with the socket's name in the app.",
		ofOutlet: func(o tapo.Outlet) sample { return info(o.Name) },
	},
	{
		name: "tapo_outlet_on", kind: gauge,
		help:     "1 if the socket is switched on, 0 if off (device_on).",
		ofOutlet: func(o tapo.Outlet) sample { return boolean(o.On) },
	},
	{
		name: "tapo_outlet_on_seconds", kind: gauge,
		help:     "Time since the socket was switched on, 0 when off (on_time).",
		ofOutlet: func(o tapo.Outlet) sample { return seconds(o.OnFor) },
	},
	powerWatts,
	{
		name: "tapo_voltage_volts", kind: gauge,
		help:     "Mains voltage (voltage_mv).",
		ofOutlet: func(o tapo.Outlet) sample { return number(o.Voltage) },
	},
	{
		name: "tapo_current_amperes", kind: gauge,
		help:     "Current (current_ma); a switched-off plug may show some idle noise.",
		ofOutlet: func(o tapo.Outlet) sample { return number(o.Current) },
	},
	energyTotal,
	{
		name: "tapo_energy_today_joules", kind: gauge,
		help:     "Energy drawn since the plug's local midnight (today_energy).",
		ofOutlet: func(o tapo.Outlet) sample { return number(o.EnergyToday) },
	},
	{
		name: "tapo_energy_month_joules", kind: gauge,
		help:     "Energy drawn since the first of the plug's month (month_energy).",
		ofOutlet: func(o tapo.Outlet) sample { return number(o.EnergyMonth) },
	},
	{
		name: "tapo_energy_returned_joules_total", kind: counter,
		help:     "Energy fed back, from the plug's own meter (month_charge_energy); resets when the plug's month changes.",
		ofOutlet: func(o tapo.Outlet) sample { return number(o.ReturnedMonth) },
	},
	{
		name: "tapo_energy_returned_today_joules", kind: gauge,
		help:     "Energy fed back since the plug's local midnight (today_charge_energy).",
		ofOutlet: func(o tapo.Outlet) sample { return number(o.ReturnedToday) },
	},
	{
		name: "tapo_energy_returned_month_joules", kind: gauge,
		help:     "Energy fed back since the first of the plug's month (month_charge_energy).",
		ofOutlet: func(o tapo.Outlet) sample { return number(o.ReturnedMonth) },
	},
	{
		name: "tapo_on_today_seconds", kind: gauge,
		help:     "Time switched on since the plug's local midnight (today_runtime).",
		ofOutlet: func(o tapo.Outlet) sample { return seconds(o.OnToday) },
	},
	{
		name: "tapo_on_month_seconds", kind: gauge,
		help:     "Time switched on since the first of the plug's month (month_runtime).",
		ofOutlet: func(o tapo.Outlet) sample { return seconds(o.OnMonth) },
	},
	{
		name: "tapo_power_limit_watts", kind: gauge,
		help:     "Power at which the plug switches itself off, where that is enabled (protection_power).",
		ofOutlet: func(o tapo.Outlet) sample { return number(o.PowerLimit) },
	},
	{
		name: "tapo_overheated", kind: gauge,
		help:     "1 if the socket is overheated (overheat_status or overheated).",
		ofOutlet: func(o tapo.Outlet) sample { return boolean(o.Overheated) },
	},
	{
		name: "tapo_overloaded", kind: gauge,
		help:     "1 if power protection has tripped (power_protection_status). The outlet may be on.",
		ofOutlet: func(o tapo.Outlet) sample { return boolean(o.Overloaded) },
	},
	{
		name: "tapo_overcurrent", kind: gauge,
		help:     "1 if current protection has tripped (overcurrent_status). The outlet may be on.",
		ofOutlet: func(o tapo.Outlet) sample { return boolean(o.Overcurrent) },
	},
	{
		name: "tapo_charging_finished", kind: gauge,
		help:     "1 if charging protection says that charging is finished (charging_status).",
		ofOutlet: func(o tapo.Outlet) sample { return boolean(o.ChargingFinished) },
	},
	{
		name: "tapo_wifi_rssi_dbm", kind: gauge,
		help:   "Strength of the Wi-Fi signal at the plug (rssi).",
		ofPlug: func(r tapo.Reading) sample { return number(r.RSSI) },
	},
	{
		name: "tapo_clock_offset_seconds", kind: gauge,
		help:   "The plug's clock less the exporter's (local_time); more than 26 hours off, and there are no energies.",
		ofPlug: func(r tapo.Reading) sample { return seconds(r.ClockOffset) },
	},
})

// The rows that WriteOpenMetrics needs, too.
var (
	powerWatts = &metric{
		name: "tapo_power_watts", kind: gauge,
		help:     "Active power (power_mw, else current_power); negative while power is fed back.",
		ofOutlet: func(o tapo.Outlet) sample { return number(o.Power) },
	}
	energyTotal = &metric{
		name: "tapo_energy_joules_total", kind: counter,
		help:     "Energy drawn, from the plug's own meter (month_energy); resets when the plug's month changes.",
		ofOutlet: func(o tapo.Outlet) sample { return number(o.EnergyMonth) },
	}
)

func number(v tapo.Optional[float64]) sample { return sample{value: v} }

func seconds(v tapo.Optional[time.Duration]) sample {
	if d, ok := v.Get(); ok {
		return number(tapo.Some(d.Seconds()))
	}
	return sample{}
}

func boolean(v tapo.Optional[bool]) sample {
	on, ok := v.Get()
	switch {
	case !ok:
		return sample{}
	case on:
		return number(tapo.Some(1.0))
	}
	return number(tapo.Some(0.0))
}

// info is a 1 with the values of a row's labels.
func info(labels ...string) sample { return sample{value: tapo.Some(1.0), labels: labels} }
