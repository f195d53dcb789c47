// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"slices"

	dto "github.com/prometheus/client_model/go"
)

// metric is a row of the table below.
type metric struct {
	index  int // in plugMetrics
	name   string
	kind   dto.MetricType
	help   string
	labels []string // sorted
}

// plugMetrics is every series that /probe can have, sorted by name as
// expositions are.
var plugMetrics []*metric

func init() { // when all of the table below is there
	slices.SortFunc(plugMetrics, func(a, b *metric) int { return cmp.Compare(a.name, b.name) })
	for i, m := range plugMetrics {
		m.index = i
	}
}

func gauge(name, help string, labels ...string) *metric {
	return newMetric(dto.MetricType_GAUGE, name, help, labels)
}

func counter(name, help string, labels ...string) *metric {
	return newMetric(dto.MetricType_COUNTER, name, help, labels)
}

func newMetric(kind dto.MetricType, name, help string, labels []string) *metric {
	m := &metric{name: name, kind: kind, help: help, labels: labels}
	plugMetrics = append(plugMetrics, m)
	return m
}

// outletLabel is the label that every series of an outlet has: its number, "1" on
// a plug with one outlet.
const outletLabel = "outlet"

// The metrics of a plug.
var (
	up = gauge("tapo_up",
		"1 if the plug was read, 0 if not.")
	probeDuration = gauge("tapo_probe_duration_seconds",
		"Time that reading the plug took.")
	failureInfo = gauge("tapo_probe_failure_info",
		"1, with the reason why the plug could not be read.", "reason")
	deviceInfo = gauge("tapo_device_info",
		"1, with what identifies the plug, and the protocol it speaks.",
		"device_id", "firmware", "hardware", "mac", "model", "name", "protocol")
	outletInfo = gauge("tapo_outlet_info",
		"1, with the socket's name in the app.", "name", outletLabel)
	outletOn = gauge("tapo_outlet_on",
		"1 if the socket is switched on, 0 if off (device_on).", outletLabel)
	outletOnSeconds = gauge("tapo_outlet_on_seconds",
		"Time since the socket was switched on, 0 when off (on_time).", outletLabel)
	powerWatts = gauge("tapo_power_watts",
		"Active power (power_mw, else current_power).", outletLabel)
	voltageVolts = gauge("tapo_voltage_volts",
		"Mains voltage (voltage_mv).", outletLabel)
	currentAmperes = gauge("tapo_current_amperes",
		"Current (current_ma); a switched-off plug may show some idle noise.", outletLabel)
	energyTotal = counter("tapo_energy_joules_total",
		"Energy drawn, from the plug's own meter (month_energy); resets when the plug's month changes.", outletLabel)
	energyToday = gauge("tapo_energy_today_joules",
		"Energy drawn since the plug's local midnight (today_energy).", outletLabel)
	energyMonth = gauge("tapo_energy_month_joules",
		"Energy drawn since the first of the plug's month (month_energy).", outletLabel)
	onToday = gauge("tapo_on_today_seconds",
		"Time switched on since the plug's local midnight (today_runtime).", outletLabel)
	onMonth = gauge("tapo_on_month_seconds",
		"Time switched on since the first of the plug's month (month_runtime).", outletLabel)
	powerLimit = gauge("tapo_power_limit_watts",
		"Power at which the plug switches itself off, where that is enabled (protection_power).", outletLabel)
	overheated = gauge("tapo_overheated",
		"1 if the socket is overheated (overheat_status or overheated).", outletLabel)
	overloaded = gauge("tapo_overloaded",
		"1 if power protection has switched the socket off (power_protection_status).", outletLabel)
	overcurrent = gauge("tapo_overcurrent",
		"1 if current protection has switched the socket off (overcurrent_status).", outletLabel)
	chargingFinished = gauge("tapo_charging_finished",
		"1 if charging protection says that charging is finished (charging_status).", outletLabel)
	wifiRSSI = gauge("tapo_wifi_rssi_dbm",
		"Strength of the Wi-Fi signal at the plug (rssi).")
	clockOffset = gauge("tapo_clock_offset_seconds",
		"The plug's clock less the exporter's (local_time); more than 26 hours off, and there are no energies.")
)
