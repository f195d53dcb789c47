// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestMethods(t *testing.T) {
	p := start(t, &Plug{Load: Constant(71.999)})
	c := login(t, p)
	for i, tc := range []struct{ request, want string }{
		{`{"method":"get_current_power"}`, `{"result":{"current_power":71},"error_code":0}`},
		{`{"method":"no_such_method"}`, `{"error_code":-1002}`},
		{`{"method":"get_device_info","params":null}`, `"model":"P110"`},
		{`not JSON`, `{"error_code":-1003}`},
		{`{"method":"multipleRequest"}`, `{"error_code":-1008}`},
		{
			`{"method":"multipleRequest","params":{"requests":[{"method":"get_current_power"},{"method":"x"},{"method":"get_device_info"}]}}`,
			`{"error_code":0,"result":{"responses":[{"method":"get_current_power","result":{"current_power":71},"error_code":0},{"method":"x","error_code":-1002}]}}`,
		},
		{`{"method":"set_device_info","params":{"device_on":false}}`, `{"error_code":0}`},
		{`{"method":"device_reboot","params":{"delay":1}}`, `{"error_code":0}`},
		{`{"method":"get_current_power"}`, `{"result":{"current_power":0},"error_code":0}`},
		{`{"method":"qs_component_nego"}`, `"is_klap":true`},
		{`{"method":"get_device_usage"}`, `"saved_power"`},
		{`{"method":"get_device_time"}`, `"region":"UTC"`},
	} {
		if got := c.ask(t, p, int32(i+1), tc.request); !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s, want %s", tc.request, got, tc.want)
		}
	}
}

// TestChildMethods sends the calls of other clients to the outlets of a strip.
func TestChildMethods(t *testing.T) {
	p := start(t, &Plug{Model: P304M})
	c := login(t, p)
	list := c.ask(t, p, 1, `{"method":"get_child_device_list"}`)
	_, rest, _ := strings.Cut(list, `"device_id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	for i, tc := range []struct{ request, want string }{
		{`{"method":"get_child_device_list","params":null}`, `"sum":4`},
		{`{"method":"get_child_device_list","params":{"start_index":4,"more":true}}`, `"child_device_list":[]`},
		{`{"method":"get_child_device_component_list","request_time_milis":1767225600000,"terminal_uuid":"AAAA"}`, `"energy_monitoring"`},
		{`{"method":"multipleRequest","params":{"requests":[{"method":"get_child_device_list","params":null},{"method":"get_device_info"}]}}`, `"model":"P304M"`},
		{`{"method":"control_child","params":{"device_id":"ID","requestData":{"method":"get_energy_usage"}}}`, `{"responseData":{"result":{"today_runtime"`},
		{`{"method":"control_child","params":{"device_id":"ID","requestData":{"method":"get_energy_usage","params":null}}}`, `"month_energy"`},
		{
			`{"method":"control_child","params":{"device_id":"ID","requestData":{"method":"multipleRequest","params":{"requests":[{"method":"get_device_info"},{"method":"get_current_power"}]}}}}`,
			`{"method":"get_current_power","result":{"current_power":0},"error_code":0}`,
		},
		{`{"method":"control_child","params":{"device_id":"nobody","requestData":{"method":"get_energy_usage"}}}`, `{"error_code":-1008}`},
	} {
		if got := c.ask(t, p, int32(i+2), strings.ReplaceAll(tc.request, "ID", id)); !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s, want %s", tc.request, got, tc.want)
		}
	}
}

// FuzzCall executes what a client may send over a session: every reply is JSON.
func FuzzCall(f *testing.F) {
	f.Add([]byte(`{"method":"multipleRequest","params":{"requests":[{"method":"get_device_info"},{"method":"get_energy_usage"}]}}`))
	f.Add([]byte(`{"method":"set_device_info","params":{"device_on":false}}`))
	f.Add([]byte(`{"method":"multipleRequest","params":{"requests":{}}}`))
	f.Add([]byte(`{"method":"get_child_device_list","params":{"start_index":2}}`))
	f.Add([]byte(`{"method":"control_child","params":{"device_id":"x","requestData":{"method":"get_energy_usage"}}}`))
	p := &Plug{Model: P304M}
	if err := p.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(p.Close)
	f.Fuzz(func(t *testing.T, plain []byte) {
		c, code := parseCall(plain)
		if code != 0 {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if reply := p.execute(c, Fault{}); !json.Valid(reply) {
			t.Errorf("%s is answered with %s", plain, reply)
		}
	})
}
