// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import "github.com/prometheus/client_golang/prometheus"

// metric is a row of the table below.
type metric struct {
	name   string
	kind   prometheus.ValueType
	help   string
	labels []string
	desc   *prometheus.Desc
}

// plugMetrics is every series that /probe can have, in the order in which the
// variables below were made.
var plugMetrics []*metric

func gauge(name, help string, labels ...string) *metric {
	return newMetric(prometheus.GaugeValue, name, help, labels)
}

func counter(name, help string, labels ...string) *metric {
	return newMetric(prometheus.CounterValue, name, help, labels)
}

func newMetric(kind prometheus.ValueType, name, help string, labels []string) *metric {
	m := &metric{name, kind, help, labels, prometheus.NewDesc(name, help, labels, nil)}
	plugMetrics = append(plugMetrics, m)
	return m
}

// The metrics of a plug. The label outlet is the socket's number, "1" on a plug
// with one socket.
var (
	up = gauge("tapo_up",
		"1 if the plug was read, 0 if not.")
	probeDuration = gauge("tapo_probe_duration_seconds",
		"Time that reading the plug took.")
	failureInfo = gauge("tapo_probe_failure_info",
		"1, with the reason why the plug could not be read.", "reason")
	deviceInfo = gauge("tapo_device_info",
		"1, with what identifies the plug, and the protocol it speaks.",
		"device_id", "mac", "model", "hardware", "firmware", "name", "protocol")
	outletInfo = gauge("tapo_outlet_info",
		"1, with the socket's name in the app.", "outlet", "name")
	outletOn = gauge("tapo_outlet_on",
		"1 if the socket is switched on, 0 if off (device_on).", "outlet")
	outletOnSeconds = gauge("tapo_outlet_on_seconds",
		"Time since the socket was switched on, 0 when off (on_time).", "outlet")
	powerWatts = gauge("tapo_power_watts",
		"Active power (power_mw, else current_power).", "outlet")
	voltageVolts = gauge("tapo_voltage_volts",
		"Mains voltage (voltage_mv).", "outlet")
	currentAmperes = gauge("tapo_current_amperes",
		"Current (current_ma); a switched-off plug may show some idle noise.", "outlet")
	energyTotal = counter("tapo_energy_joules_total",
		"Energy drawn, from the plug's own meter (month_energy); resets when the plug's month changes.", "outlet")
	energyToday = gauge("tapo_energy_today_joules",
		"Energy drawn since the plug's local midnight (today_energy).", "outlet")
	energyMonth = gauge("tapo_energy_month_joules",
		"Energy drawn since the first of the plug's month (month_energy).", "outlet")
	onToday = gauge("tapo_on_today_seconds",
		"Time switched on since the plug's local midnight (today_runtime).", "outlet")
	onMonth = gauge("tapo_on_month_seconds",
		"Time switched on since the first of the plug's month (month_runtime).", "outlet")
	powerLimit = gauge("tapo_power_limit_watts",
		"Power at which the plug switches itself off, where that is enabled (protection_power).", "outlet")
	overheated = gauge("tapo_overheated",
		"1 if the socket is overheated (overheat_status or overheated).", "outlet")
	overloaded = gauge("tapo_overloaded",
		"1 if power protection has switched the socket off (power_protection_status).", "outlet")
	overcurrent = gauge("tapo_overcurrent",
		"1 if current protection has switched the socket off (overcurrent_status).", "outlet")
	chargingFinished = gauge("tapo_charging_finished",
		"1 if charging protection says that charging is finished (charging_status).", "outlet")
	wifiRSSI = gauge("tapo_wifi_rssi_dbm",
		"Strength of the Wi-Fi signal at the plug (rssi).")
	clockOffset = gauge("tapo_clock_offset_seconds",
		"The plug's clock less the exporter's (local_time); more than 26 hours off, and there are no energies.")
)
