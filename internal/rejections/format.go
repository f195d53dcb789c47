// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package rejections

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// maxUnused is how long an entry is kept that nobody loads, and maxEntries how many are.
	maxUnused  = 30 * 24 * time.Hour
	maxEntries = 1000
	// maxSize limits the file, and maxEntrySize an entry: the states of nine plugs with
	// twenty refused credentials each fit well.
	maxSize      = 8 << 20
	maxEntrySize = 256 << 10
)

// earliest is before the first version. A clock that shows an earlier time has not been set.
var earliest = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// line is an entry as it is written.
type line struct {
	entry   *entry
	address string
	used    time.Time // by the clock on the wall
}

// encode returns the file's content: an object with a line for each entry, so that users
// can delete one.
func encode(lines []line) []byte {
	slices.SortFunc(lines, func(a, b line) int { return strings.Compare(a.address, b.address) })
	var b bytes.Buffer
	b.WriteString("{")
	for i, l := range lines {
		if i > 0 {
			b.WriteByte(',')
		}
		address, _ := json.Marshal(l.address) // a string has no error
		fmt.Fprintf(&b, "\n%s: {\"used\":%q,\"state\":%s}", address, l.used.Format(time.RFC3339), l.entry.state)
	}
	b.WriteString("\n}\n")
	return b.Bytes()
}

// parse returns the entries of a file, and how many it has left out for their size.
func parse(data []byte, now time.Time) (entries map[string]*entry, dropped int, err error) {
	if len(data) > maxSize {
		return nil, 0, fmt.Errorf("it has more than %d bytes", maxSize)
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil {
		return nil, 0, err
	}
	entries = make(map[string]*entry, len(values))
	for address, value := range values {
		if string(value) == "null" {
			continue
		}
		var state bytes.Buffer
		text, stored := members(value)
		if err := json.Compact(&state, text); err != nil {
			return nil, 0, err
		}
		if state.Len() > maxEntrySize {
			dropped++
			continue
		}
		entries[address] = &entry{state: state.Bytes(), used: lastUse(stored, now), stored: stored}
	}
	return entries, dropped, nil
}

// members returns the state and the last use of an entry, the latter zero if there is none
// or it is damaged. An earlier version stored the state alone.
func members(value json.RawMessage) (state json.RawMessage, used time.Time) {
	var m struct{ Used, State json.RawMessage }
	if json.Unmarshal(value, &m) != nil || m.State == nil {
		return value, time.Time{}
	}
	if json.Unmarshal(m.Used, &used) != nil {
		return m.State, time.Time{}
	}
	return m.State, used
}

// lastUse gives a time from a file a monotonic reading. One that cannot be right, because
// the clock was wrong then or is now, becomes now.
func lastUse(used, now time.Time) time.Time {
	age := now.Round(0).Sub(used)
	if age < 0 || used.Before(earliest) {
		age = 0
	}
	return now.Add(-age)
}

// forget drops entries that nobody has used for long, and the longest unused of too many.
// Of those, the ones go first that only say that a plug is a newer one, as each plug has one.
func forget(entries map[string]*entry, now time.Time) {
	maps.DeleteFunc(entries, func(_ string, e *entry) bool { return now.Sub(e.used) > maxUnused })
	size := 0
	for address, e := range entries {
		size += e.size(address)
	}
	if len(entries) <= maxEntries && size <= maxSize {
		return
	}
	newest := slices.SortedFunc(maps.Keys(entries), func(a, b string) int {
		return cmp.Or(entries[a].weight()-entries[b].weight(), entries[b].used.Compare(entries[a].used), strings.Compare(a, b))
	})
	size = 0
	for i, address := range newest {
		size += entries[address].size(address)
		if i >= maxEntries || size > maxSize {
			delete(entries, address)
		}
	}
}

// weight is 1 for an entry that keeps no login from being tried, and 0 for others.
func (e *entry) weight() int {
	if string(e.state) == `{"newer":true}` {
		return 1
	}
	return 0
}

// size is the most that the entry takes in the file, with all of its address escaped.
func (e *entry) size(address string) int { return 100 + 6*len(address) + len(e.state) }
