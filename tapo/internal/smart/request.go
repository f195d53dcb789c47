// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"encoding/json"
	"strconv"
)

// terminalUUID is a constant that apps send; any 16 bytes do.
const terminalUUID = "AAAAAAAAAAAAAAAAAAAAAA=="

// request writes the JSON that asks a unit for methods.
func (d *Dialect) request(u *unit, asked []*method, got *replies) []byte {
	return d.envelope(u, func(b []byte) []byte { return appendCall(b, asked, got) })
}

// envelope writes the JSON that carries a call to a unit.
func (d *Dialect) envelope(u *unit, appendCall func([]byte) []byte) []byte {
	b := make([]byte, 0, 512)
	if !u.isChild() {
		b = appendCall(b)
	} else {
		id, err := json.Marshal(u.id)
		if err != nil {
			panic(err) // of a string
		}
		b = append(append(b, `{"method":"control_child","params":{"device_id":`...), id...)
		b = append(appendCall(append(b, `,"requestData":`...)), "}}"...)
	}
	b = append(b[:len(b)-1], `,"request_time_milis":`...) // spelled so by plugs
	b = strconv.AppendInt(b, d.opts.Now().UnixMilli(), 10)
	return append(b, `,"terminal_uuid":"`+terminalUUID+`"}`...)
}

// appendCall writes a call of a method, or of a batch.
func appendCall(b []byte, asked []*method, got *replies) []byte {
	if len(asked) == 1 {
		return appendMethod(b, asked[0], got)
	}
	b = append(b, `{"method":"multipleRequest","params":{"requests":[`...)
	for i, m := range asked {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendMethod(b, m, got)
	}
	return append(b, "]}}"...)
}

// appendMethod writes a call of one method. What answers in pages is asked for
// what follows those at hand; others get no params, of which plugs differ on what
// they make.
func appendMethod(b []byte, m *method, got *replies) []byte {
	b = append(append(append(b, `{"method":"`...), m.name...), '"')
	if m.pages != nil {
		start, _, _ := m.pages(got)
		b = append(strconv.AppendInt(append(b, `,"params":{"start_index":`...), int64(start), 10), '}')
	}
	return append(b, '}')
}
