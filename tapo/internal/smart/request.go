// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"encoding/json"
	"strconv"
)

// terminalUUID is in every request, as in those of the app. Any 16 bytes are accepted.
const terminalUUID = "AAAAAAAAAAAAAAAAAAAAAA=="

// request writes the JSON that asks a unit for methods.
func (d *Dialect) request(u *unit, asked []*method, got *replies) []byte {
	return d.envelope(u, func(b []byte) []byte { return appendCall(b, asked, got) })
}

// envelope writes the JSON around a call to a unit.
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
	b = append(b[:len(b)-1], `,"request_time_milis":`...) // the spelling of plugs
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

// appendMethod writes a call of one method. A method with pages gets the index of the next
// page. Others get no params: plugs differ in how they treat null.
func appendMethod(b []byte, m *method, got *replies) []byte {
	b = append(append(append(b, `{"method":"`...), m.name...), '"')
	if m.pages != nil {
		start, _, _ := m.pages(got)
		b = append(strconv.AppendInt(append(b, `,"params":{"start_index":`...), int64(start), 10), '}')
	}
	return append(b, '}')
}
