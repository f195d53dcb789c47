// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package plug

import "time"

// Reading is what a plug said in one read. It is shared between callers and
// must not be modified.
type Reading struct {
	Time     time.Time // when it was read, by our clock
	Protocol Protocol
	Info     Info
	Outlets  []Outlet // in the order of their numbers
	// RSSI is the strength of the Wi-Fi signal in dBm.
	RSSI Optional[float64]
	// ClockOffset is the plug's clock less ours. Beyond [MaxClockOffset] the outlets
	// have no energies and no times of day and month.
	ClockOffset Optional[time.Duration]
}

// MaxClockOffset is the largest clock offset with which the counters of the day and the
// month are used: a day, and what a wrong time zone may add. A plug without internet
// access runs in the year 2000 (python-kasa/python-kasa#1243).
const MaxClockOffset = 26 * time.Hour

// MaxText is the longest text of a plug in a reading, in bytes.
const MaxText = 256

// Info identifies a plug. Texts are empty where not given. They are on one line and no
// longer than [MaxText], as package safetext makes them.
type Info struct {
	DeviceID string // 40 hex digits; stays with the device
	MAC      string // AA-BB-CC-00-11-22
	Model    string // P110
	Hardware string
	Firmware string
	Name     string // as given in the app
}

// Outlet is what is switched and metered: the plug itself, or a child of a strip.
type Outlet struct {
	Number int    // from 1
	Name   string // as given in the app; bounded like the texts of Info

	On    Optional[bool]
	OnFor Optional[time.Duration] // since it was switched on; 0 when off

	Power   Optional[float64] // watts, negative while power is fed back
	Voltage Optional[float64] // volts
	Current Optional[float64] // amperes

	EnergyToday Optional[float64]       // joules since the plug's local midnight
	EnergyMonth Optional[float64]       // joules since the first of the plug's month
	OnToday     Optional[time.Duration] // time switched on since midnight
	OnMonth     Optional[time.Duration] // time switched on since the first

	// ReturnedToday and ReturnedMonth are the joules that were fed back, counted apart
	// from those drawn. Only plugs that measure the direction have them (P410M).
	ReturnedToday Optional[float64]
	ReturnedMonth Optional[float64]

	PowerLimit Optional[float64] // watts, where power protection is enabled

	Overheated       Optional[bool]
	Overloaded       Optional[bool] // power protection has tripped; the outlet may be on
	Overcurrent      Optional[bool] // current protection has tripped; the outlet may be on
	ChargingFinished Optional[bool]
}
