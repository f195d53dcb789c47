// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// state is the state of a guard, and the JSON of it in a [Store].
type state struct {
	Next  time.Time             `json:"next,omitzero"`        // no login before this time, whichever plug is at the address
	Wait  *Cause                `json:"next_cause,omitempty"` // of Next
	Plugs map[string]*plugState `json:"plugs,omitempty"`      // by MAC address, "" for plugs that report none
	Newer bool                  `json:"newer,omitempty"`      // see [Guard.Newer]
	Since time.Time             `json:"next_since,omitzero"`  // when Next was set

	// plugState was stored by an earlier version, which did not store MAC addresses. It
	// holds for every plug at the address, since it may be that of any.
	plugState
}

// plugState has the outcomes of the logins to one plug.
type plugState struct {
	Tried        time.Time              `json:"tried,omitzero"`          // the last attempt that the plug counted or may have counted
	AttemptsLeft *int                   `json:"attempts_left,omitempty"` // nil if the plug has reported none
	Unclear      unclearLogins          `json:"unclear,omitempty"`
	Unknown      int                    `json:"unknown_outcomes,omitempty"` // in a row, as an earlier version has stored them
	Cause        *Cause                 `json:"cause,omitempty"`
	Rejected     []*rejectedCredentials `json:"refused,omitempty"` // the oldest first
}

// over reports whether s allows every login by now.
func (s *state) over(now time.Time) bool {
	s.prune(now)
	return !now.Before(s.Next) && len(s.Plugs) == 0 && s.isEmpty()
}

// prune drops what counts no more.
func (s *state) prune(now time.Time) {
	for mac, p := range s.Plugs {
		if p.prune(now); p.isEmpty() {
			delete(s.Plugs, mac)
		}
	}
}

func (p *plugState) isEmpty() bool { return p.Cause == nil && len(p.Rejected) == 0 }

// prune drops what counts no more. Without refusals the cause is that of unclear logins.
func (p *plugState) prune(now time.Time) {
	had := len(p.Unclear) > 0
	if p.Unclear = p.Unclear.prune(now); had && len(p.Unclear) == 0 && p.AttemptsLeft == nil && len(p.Rejected) == 0 {
		p.Cause = nil
	}
}

// spend takes one off the attempts that the plug has reported. The next report replaces
// the number.
func (p *plugState) spend() {
	if left := p.AttemptsLeft; left != nil {
		p.AttemptsLeft = new(max(0, *left-1))
	}
}

// load returns the state that was stored as data, as far as that is not damaged. The
// clock may have been wrong when it was stored, or is now.
func load(data []byte, now time.Time) state {
	var s state
	_ = json.Unmarshal(data, &s) // a member of another type is left out
	if s.Wait == nil {
		s.Wait = s.Cause // an earlier version stored one cause for all
	}
	if s.Next.IsZero() || s.Wait == nil {
		s.Next, s.Since, s.Wait = time.Time{}, time.Time{}, nil
	}
	wait := maxLock
	if !s.Since.IsZero() { // the time that was meant, whatever the clock was set to since then
		wait = min(max(s.Next.Sub(s.Since), 0), maxLock)
	}
	if latest := now.Add(wait); s.Next.After(latest) {
		s.Next = latest
	}
	s.mend(now)
	for mac, p := range s.Plugs {
		if p != nil {
			p.mend(now)
		}
		if p == nil || p.isEmpty() || plug.ParseMAC(mac) != mac {
			delete(s.Plugs, mac)
		}
	}
	return s
}

// mend removes what no guard stores.
func (p *plugState) mend(now time.Time) {
	p.Rejected = slices.DeleteFunc(p.Rejected, func(r *rejectedCredentials) bool { return r == nil })
	if p.Cause == nil {
		*p = plugState{Tried: p.Tried, Rejected: p.Rejected}
	}
	if p.Tried.After(now) {
		p.Tried = now
	}
	for range min(p.Unknown, maxUnclear) {
		p.Unclear = append(p.Unclear, unclearLogin{At: p.Tried})
	}
	p.Unknown = 0
	p.Rejected = p.Rejected[max(0, len(p.Rejected)-maxRejected):]
	p.Unclear = p.Unclear[max(0, len(p.Unclear)-maxUnclear-unclearPerDay):]
	for i := range p.Unclear {
		if p.Unclear[i].At.After(now) {
			p.Unclear[i].At = now
		}
	}
}

// encode returns what a store keeps of a state, nil if that is nothing.
func encode(s state) []byte {
	if s.over(time.Time{}) && !s.Newer {
		return nil
	}
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // the state has numbers, texts and times only
	}
	return data
}

// delay has no login tried for some time.
func (s *state) delay(wait time.Duration, why Cause, now time.Time) {
	s.Next, s.Since, s.Wait = now.Add(wait), now, &why
}

// plug returns the state of a plug for changes.
func (s *state) plug(mac string) *plugState {
	if s.Plugs == nil {
		s.Plugs = map[string]*plugState{}
	}
	if s.Plugs[mac] == nil {
		s.Plugs[mac] = &plugState{}
	}
	return s.Plugs[mac]
}

// crowded reports whether a plug may not be tried because of others at the address. next
// is when it may, zero if that is not before the address is forgotten.
func (s *state) crowded(mac string, now time.Time) (next time.Time, yes bool) {
	p := s.Plugs[mac]
	switch {
	case p != nil && now.Sub(p.Tried) < plugsPeriod:
		return time.Time{}, false
	case p == nil && len(s.Plugs) >= maxPlugs:
		return time.Time{}, true
	}
	var tried []time.Time
	for _, other := range s.Plugs {
		if now.Sub(other.Tried) < plugsPeriod {
			tried = append(tried, other.Tried)
		}
	}
	if len(tried) < plugsPerPeriod {
		return time.Time{}, false
	}
	slices.SortFunc(tried, time.Time.Compare)
	return tried[len(tried)-plugsPerPeriod].Add(plugsPeriod), true
}
