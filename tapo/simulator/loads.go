// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"math"
	"time"
)

// Load is an appliance. Its power is a function of the time, so the meter can
// integrate the past. Negative power is fed back.
type Load interface {
	Watts(at time.Time) float64
}

// LoadFunc is a function that serves as a [Load].
type LoadFunc func(at time.Time) float64

// Watts implements [Load].
func (f LoadFunc) Watts(at time.Time) float64 { return f(at) }

// Constant is a load that always draws the same power, in watts.
type Constant float64

// Watts implements [Load].
func (c Constant) Watts(time.Time) float64 { return float64(c) }

// Kettle boils for three minutes of every 15.
func Kettle() Load {
	return LoadFunc(func(at time.Time) float64 {
		if intoCycle(at, 15*time.Minute) > 3*time.Minute {
			return 0
		}
		return 2040 + 15*noise(at, 1)
	})
}

// Fridge has a compressor that runs 18 minutes of every 45, after an inrush of two
// seconds.
func Fridge() Load {
	return LoadFunc(func(at time.Time) float64 {
		switch into := intoCycle(at, 45*time.Minute); {
		case into < 2*time.Second:
			return 640
		case into < 18*time.Minute:
			return 78 + 14*math.Exp(-into.Minutes()/4) + 1.5*noise(at, 2)
		}
		return 1.4 + 0.1*noise(at, 2)
	})
}

// TV is on for the last 20 minutes of every hour, and in standby otherwise.
func TV() Load {
	return LoadFunc(func(at time.Time) float64 {
		if intoCycle(at, time.Hour) < 40*time.Minute {
			return 0.62 + 0.03*noise(at, 3)
		}
		return 96 + 22*noise(at, 3)
	})
}

// WashingMachine runs for 100 minutes of every 150: it heats, washes and spins.
func WashingMachine() Load {
	return LoadFunc(func(at time.Time) float64 {
		tumble := 60.0
		if intoCycle(at, 15*time.Second) < 10*time.Second {
			tumble = 190 + 25*noise(at, 4)
		}
		switch into := intoCycle(at, 150*time.Minute); {
		case into < 20*time.Minute:
			return 1980 + tumble/2
		case into < 80*time.Minute:
			return tumble
		case into < 100*time.Minute:
			return 320 + 140*noise(at, 4)
		}
		return 0.9
	})
}

// Computer is a desk with a computer and its screens, with bursts of work.
func Computer() Load {
	return LoadFunc(func(at time.Time) float64 {
		work := math.Max(0, math.Sin(float64(at.Unix())/97))
		return 145 + 110*work + 9*noise(at, 5)
	})
}

// Balcony is a household's basic load behind solar panels at the longitude of Greenwich,
// on a day as in spring. It draws at night and feeds in by day, from about an hour after
// 6:00 UTC to about an hour before 18:00 UTC.
func Balcony() Load {
	return LoadFunc(func(at time.Time) float64 {
		household := 110 + 12*noise(at, 6)
		sun := math.Sin((float64(intoCycle(at, 24*time.Hour))/float64(24*time.Hour) - 0.25) * 2 * math.Pi)
		clouds := 0.15 + 0.15*math.Sin(float64(at.Unix())/1400)
		return household - 620*math.Max(0, sun)*(1-clouds)
	})
}

// intoCycle returns the time since the present cycle began.
func intoCycle(at time.Time, cycle time.Duration) time.Duration {
	return time.Duration(at.UnixNano() % int64(cycle))
}

// noise is a smooth random function of time between -1 and 1. It has the same value
// for the same time and seed.
func noise(at time.Time, seed uint64) float64 {
	const step = 4 * time.Second
	n := uint64(at.UnixNano() / int64(step))
	part := float64(at.UnixNano()%int64(step)) / float64(step)
	return scramble(n, seed)*(1-part) + scramble(n+1, seed)*part
}

// scramble hashes a number to a value between -1 and 1 (splitmix64).
func scramble(n, seed uint64) float64 {
	z := n + seed*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return float64(z>>11)/(1<<52) - 1
}
