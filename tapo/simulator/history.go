// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import "time"

// historyParams are those of get_energy_data and get_power_data.
type historyParams struct {
	From     int64 `json:"start_timestamp"` // UNIX seconds
	To       int64 `json:"end_timestamp"`
	Interval int   `json:"interval"` // minutes
}

// The limits of one reply: eight days of hourly energies, 144 average powers
// (EnergyDataInterval and PowerDataInterval of mihai-dinculescu/tapo). How long plugs
// keep powers is not published; the simulator keeps what fits into one reply.
const (
	maxHourlyDays = 8
	maxPowerSlots = 144
	keptHours     = 12 * time.Hour     // slots of five minutes
	keptDays      = 6 * 24 * time.Hour // slots of an hour
	maxTimestamp  = int64(1<<31 - 1)
)

// energyData is the result of get_energy_data. The timestamps repeat those of the
// request, even where the values begin at another time (mihai-dinculescu/tapo#250).
type energyData struct {
	LocalTime string `json:"local_time"`
	Data      []int  `json:"data"` // Wh
	From      int64  `json:"start_timestamp"`
	To        int64  `json:"end_timestamp"`
	Interval  int    `json:"interval"`
}

// powerData is the result of get_power_data.
type powerData struct {
	From     int64 `json:"start_timestamp"`
	To       int64 `json:"end_timestamp"`
	Interval int   `json:"interval"`
	Data     []int `json:"data"` // W
}

func (p historyParams) valid() bool { return p.From > 0 && p.To >= p.From && p.To <= maxTimestamp }

// energyData returns energies. A request whose start is not where the plug's slots
// begin gets the slots around it (mihai-dinculescu/tapo#221): the hours from the
// midnight before the start, the days of its quarter, or the months of its year.
func (u unit) energyData(p historyParams) (result any, code int) {
	m, now := u.meter, u.now.clock
	start, end := time.Unix(p.From, 0).In(m.location), time.Unix(p.To, 0).In(m.location)
	year, month, day := start.Date()
	var times []time.Time
	var kept time.Time
	switch {
	case !p.valid():
		return nil, codeParams
	case p.Interval == 60:
		first, last := m.startOfDay(year, month, day), m.startOfDay(end.Year(), end.Month(), end.Day()+1)
		if last.After(m.startOfDay(year, month, day+maxHourlyDays)) {
			return nil, codeParams
		}
		for t := first; !t.After(last); t = t.Add(time.Hour) {
			times = append(times, t)
		}
		kept = m.startOfDay(now.Year(), now.Month(), now.Day()+1-maxHourlyDays)
	case p.Interval == 24*60:
		first := month - (month-1)%3
		for n := 1; len(times) == 0 || times[n-2].Before(m.startOfDay(year, first+3, 1)); n++ {
			times = append(times, m.startOfDay(year, first, n))
		}
		kept = m.startOfDay(now.Year(), now.Month()-(now.Month()-1)%3-3, 1)
	case p.Interval == 30*24*60:
		for month := time.January; month <= 13; month++ {
			times = append(times, m.startOfDay(year, month, 1))
		}
		kept = m.startOfDay(now.Year()-1, now.Month(), 1)
	default:
		return nil, codeParams
	}
	return energyData{now.Format(time.DateTime), m.energies(times, kept, now), p.From, p.To, p.Interval}, 0
}

// powerData returns the average powers of slots of five minutes or an hour. The
// reply's end is moved to the end of the last slot.
func (u unit) powerData(p historyParams) (result any, code int) {
	kept, known := map[int]time.Duration{5: keptHours, 60: keptDays}[p.Interval]
	if !known || !p.valid() {
		return nil, codeParams
	}
	width := time.Duration(p.Interval) * time.Minute
	seconds := int64(width / time.Second)
	_, offset := time.Unix(p.From, 0).In(u.meter.location).Zone()
	start := p.From - (p.From+int64(offset))%seconds
	n := int(min((p.To-start+seconds-1)/seconds, maxPowerSlots))
	data := u.meter.powers(time.Unix(start, 0), width, n, u.now.clock.Add(-kept-width), u.now.clock)
	return powerData{p.From, min(p.To, p.From+int64(n)*seconds), p.Interval, data}, 0
}
