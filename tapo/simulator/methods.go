// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
)

// The error codes of replies, as python-kasa's exceptions.py names them.
const (
	codeFailed                = -1
	codeUnknownMethod         = -1002
	codeJSONDecode            = -1003
	codeAESDecode             = -1005
	codeParams                = -1008
	codeInvalidPublicKey      = -1010
	codeLogin                 = -1501
	codeTransportNotAvailable = 1002
	codeUnknownTransport      = 1003
	codeSessionTimeout        = 9999
	codeSessionExpired        = -40401
	codeTag                   = -40420
)

// call is one method call. Params has the parameters of all methods that use any.
type call struct {
	Method string `json:"method"`
	Params struct {
		Requests []call `json:"requests"`    // multipleRequest
		On       *bool  `json:"device_on"`   // set_device_info
		Start    int    `json:"start_index"` // get_child_device_list and get_child_device_component_list
		Child    string `json:"device_id"`   // control_child
		Request  *call  `json:"requestData"` // control_child
		historyParams
		passthrough.LoginParams
	} `json:"params"`

	text []byte // the whole request
}

// parseCall parses a request that arrived over a session; code is 0 or the refusal.
func parseCall(plain []byte) (c call, code int) {
	c.text = plain
	switch err := json.Unmarshal(plain, &c); {
	case err == nil:
		return c, 0
	case json.Valid(plain):
		return c, codeParams // a parameter of the wrong type
	}
	return c, codeJSONDecode
}

// execute runs a call that arrived over a session, and returns the JSON reply.
func (p *Plug) execute(c call, fault Fault) []byte {
	if fault.Kind == Says {
		return []byte(fault.Text)
	}
	if p.Respond != nil {
		return p.Respond(c.text)
	}
	if c.Method == "" || c.Method == "multipleRequest" && (p.Model.NoBatch || fault.Kind == NoBatch) {
		return codeOnly(codeJSONDecode)
	}
	if c.Method == "control_child" {
		return p.controlChild(c)
	}
	return p.executeOn(p.plugUnit(), c)
}

// executeOn runs a call, or the calls of a batch, on a unit.
func (p *Plug) executeOn(u unit, c call) []byte {
	if c.Method != "multipleRequest" {
		if reply, ok := p.wholes[u.prefix+c.Method]; ok {
			return []byte(reply)
		}
		result, code := p.run(u, c)
		return appendReply(nil, "", result, code)
	}
	if code, ok := p.refusals[u.prefix+c.Method]; ok {
		return codeOnly(code)
	}
	if p.Model.HangsOnBatches && p.batches > 0 {
		p.hang = true
	}
	p.batches++
	return p.executeBatch(u, c.Params.Requests)
}

// controlChild runs a call on an outlet of a strip.
func (p *Plug) controlChild(c call) []byte {
	i := slices.IndexFunc(p.outlets, func(s *outlet) bool { return s.id == c.Params.Child })
	if code, ok := p.refusals[c.Method]; ok {
		return codeOnly(code)
	}
	if c.Params.Request != nil {
		if code, ok := p.refusals[c.Method+" "+c.Params.Request.Method]; ok {
			return codeOnly(code)
		}
	}
	if i < 0 || c.Params.Request == nil {
		return codeOnly(codeParams)
	}
	p.stats.Methods[c.Method]++
	u := p.outletUnit(i)
	if reply, ok := p.wholes[u.prefix+c.Method]; ok {
		return []byte(reply)
	}
	inner := p.executeOn(u, *c.Params.Request)
	return appendReply(nil, "", json.RawMessage(`{"responseData":`+string(inner)+`}`), 0)
}

// executeBatch runs the calls of a batch up to the first that fails: the replies of
// real batches end there (python-kasa's smartprotocol.py). The returned reply is valid
// until the next call of executeBatch.
func (p *Plug) executeBatch(u unit, calls []call) []byte {
	if calls == nil {
		return codeOnly(codeParams)
	}
	b := p.batchBuffer[:0]
	b = append(b, `{"error_code":0,"result":{"responses":[`...)
	for _, c := range calls {
		if p.omitted[u.prefix+c.Method] {
			continue
		}
		if reply, ok := p.wholes[u.prefix+c.Method]; ok {
			b = append(append(b, reply...), ',')
			continue
		}
		result, code := p.run(u, c)
		b = append(appendReply(b, c.Method, result, code), ',')
		if code != 0 {
			break
		}
	}
	b = append(bytes.TrimSuffix(b, []byte(",")), "]}}"...)
	p.batchBuffer = b
	return b
}

// run executes one method on a unit.
func (p *Plug) run(u unit, c call) (result any, code int) {
	p.stats.Methods[c.Method]++
	key := u.prefix + c.Method
	if code, ok := p.refusals[key]; ok {
		return nil, code
	}
	if result, ok := p.results[key]; ok {
		return result, 0
	}
	if c.Method == "set_device_info" {
		if c.Params.On != nil {
			u.meter.setRelay(*c.Params.On, p.Now())
		}
		return nil, 0
	}
	if slices.Contains(writeMethods, c.Method) {
		return nil, 0
	}
	if u.child == nil && slices.Contains(p.Model.Refuses, c.Method) {
		return nil, codeUnknownMethod
	}
	if code, ok := p.refusals[key+" from "+strconv.Itoa(c.Params.Start)]; ok && c.Params.Start > 0 {
		return nil, code
	}
	if u.child == nil && p.Model.Strip != nil {
		if list := p.listChildren(c); list != nil {
			return list, 0
		}
	}
	switch {
	case c.Method == "get_energy_data" && u.has("energy_monitoring", 2):
		return u.energyData(c.Params.historyParams)
	case c.Method == "get_power_data" && u.emeter: // both came with newer firmware
		return u.powerData(c.Params.historyParams)
	}
	if known, ok := u.energyMethod(c.Method); ok || known != nil {
		return orRefused(known)
	}
	return orRefused(p.plainMethod(u, c.Method))
}

func orRefused(result any) (any, int) {
	if result == nil {
		return nil, codeUnknownMethod
	}
	return result, 0
}

// writeMethods succeed and change nothing.
var writeMethods = []string{
	"add_countdown_rule", "edit_countdown_rule", "remove_countdown_rules", "set_led_info", "set_auto_off_config",
	"set_protection_power", "set_device_time", "heart_beat", "device_reboot", "device_reset",
}

// plainMethod returns the result of a method that every plug has, or nil.
func (p *Plug) plainMethod(u unit, method string) any {
	switch method {
	case "component_nego":
		return componentList{u.components}
	case "qs_component_nego":
		return map[string]any{"component_list": p.Model.Components, "extra_info": map[string]any{
			"device_model": p.Model.Name, "device_type": p.Model.kind(), "is_klap": p.Model.Protocol == KLAP,
		}}
	case "get_device_info":
		return p.deviceInfo(u)
	case "get_device_usage":
		return u.deviceUsage()
	case "get_device_time":
		return map[string]any{"region": p.Region, "time_diff": u.meter.standardOffset(u.now.clock), "timestamp": u.now.clock.Unix()}
	case "get_latest_fw":
		return map[string]any{
			"type": 0, "fw_ver": p.Model.Firmware, "fw_size": 0, "release_date": "", "release_note": "", "hw_id": "", "oem_id": "", "need_to_upgrade": false,
		}
	case "get_auto_update_info":
		return map[string]any{"enable": true, "random_range": 120, "time": 180}
	case "get_fw_download_state":
		return map[string]any{"status": 0, "download_progress": 0, "reboot_time": 5, "upgrade_time": 5, "auto_upgrade": false}
	case "get_connect_cloud_state":
		return map[string]any{"status": 0}
	case "get_led_info":
		return map[string]any{"led_rule": "always", "led_status": true, "night_mode": map[string]any{
			"night_mode_type": "sunrise_sunset", "start_time": 1140, "end_time": 420, "sunrise_offset": 0, "sunset_offset": 0,
		}}
	case "get_auto_off_config":
		if u.has("auto_off", 1) {
			return map[string]any{"enable": false, "delay_min": 120}
		}
	}
	return nil
}

// energyMethod returns the result of a method of plugs with a meter. ok is true if it
// is such a method. result is nil if the model does not have it.
func (u unit) energyMethod(method string) (result any, ok bool) {
	metering, protecting, now := u.has("energy_monitoring", 1), u.has("power_protection", 1), u.now
	switch method {
	case "get_energy_usage":
		if metering {
			result = u.energyUsage()
		}
	case "get_current_power":
		if metering {
			result = currentPower{now.milliwatts / 1000}
		}
	case "get_emeter_data":
		if u.emeter {
			result = now.emeterData()
		}
	case "get_emeter_vgain_igain":
		if u.emeter {
			result = map[string]any{"vgain": 127146, "igain": 11437}
		}
	case "get_electricity_price_config":
		if u.has("energy_monitoring", 2) {
			result = map[string]any{"type": "constant", "constant_price": 0}
		}
	case "get_protection_power":
		if protecting {
			result = u.protectionPower()
		}
	case "get_max_power":
		if protecting {
			result = map[string]any{"max_power": now.millivolts * 167 / 10000}
		}
	default:
		return nil, false
	}
	return result, true
}

// newIdentity derives ids from a name, so a plug has the same ids in every run.
func newIdentity(name string) identity {
	sum := sha256.Sum256([]byte(name))
	id := strings.ToUpper(hex.EncodeToString(sum[:]))
	return identity{
		deviceID:   "8022" + id[:36],
		hardwareID: id[:32],
		mac:        "02-00-5E-" + id[40:42] + "-" + id[42:44] + "-" + id[44:46], // locally administered
	}
}

func bare(mac string) string { return strings.ReplaceAll(mac, "-", "") }

// appendReply writes a reply, with the method's name inside a batch.
func appendReply(b []byte, method string, result any, code int) []byte {
	b = append(b, '{')
	if method != "" {
		name, _ := json.Marshal(method) //nolint:errchkjson // a string
		b = append(append(append(b, `"method":`...), name...), ',')
	}
	if raw, ok := result.(json.RawMessage); ok { // as it is, valid or not
		b = append(append(append(b, `"result":`...), raw...), ',')
	} else if result != nil {
		data, err := json.Marshal(result)
		if err != nil {
			code = codeFailed
		} else {
			b = append(append(append(b, `"result":`...), data...), ',')
		}
	}
	b = append(b, `"error_code":`...)
	return append(strconv.AppendInt(b, int64(code), 10), '}')
}

func codeOnly(code int) []byte { return appendReply(nil, "", nil, code) }

func jsonCode(code int) response { return jsonBody(string(codeOnly(code))) }

func jsonBody(s string) response {
	return response{status: http.StatusOK, contentType: contentJSON, body: []byte(s)}
}

func unmarshal(data []byte, into any) bool {
	return len(bytes.TrimSpace(data)) > 0 && json.Unmarshal(data, into) == nil
}
