// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Error codes that simulated plugs answer.
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
)

// call is one method call.
type call struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// execute runs the JSON that arrived over a session and returns the JSON reply.
func (p *Plug) execute(plain []byte, fault Fault) []byte {
	var c call
	if !unmarshal(plain, &c) || c.Method == "" || c.Method == "multipleRequest" && (p.Model.NoBatch || fault.Kind == NoBatch) {
		return codeOnly(codeJSONDecode)
	}
	now := p.meter.sample(p.Now())
	if c.Method == "multipleRequest" {
		return p.executeBatch(c.Params, now)
	}
	result, code := p.run(c, now)
	return appendReply(nil, "", result, code)
}

// executeBatch runs the calls of a batch up to the first that fails.
func (p *Plug) executeBatch(params json.RawMessage, now sample) []byte {
	var batch struct {
		Requests []call `json:"requests"`
	}
	if !unmarshal(params, &batch) || batch.Requests == nil {
		return codeOnly(codeParams)
	}
	b := []byte(`{"error_code":0,"result":{"responses":[`)
	for i, c := range batch.Requests {
		if i > 0 {
			b = append(b, ',')
		}
		result, code := p.run(c, now)
		b = appendReply(b, c.Method, result, code)
		if code != 0 {
			break
		}
	}
	return append(b, "]}}"...)
}

// run executes one method.
func (p *Plug) run(c call, now sample) (result any, code int) {
	p.stats.Methods[c.Method]++
	if code, ok := p.refusals[c.Method]; ok {
		return nil, code
	}
	if c.Method == "set_device_info" {
		return nil, p.setDeviceInfo(c.Params)
	}
	if slices.Contains(writeMethods, c.Method) {
		return nil, 0
	}
	if known, ok := p.energyMethod(c.Method, now); ok || known != nil {
		return orRefused(known)
	}
	return orRefused(p.plainMethod(c.Method, now))
}

func orRefused(result any) (any, int) {
	if result == nil {
		return nil, codeUnknownMethod
	}
	return result, 0
}

// writeMethods are taken, and do nothing here.
var writeMethods = []string{
	"add_countdown_rule", "edit_countdown_rule", "remove_countdown_rules", "set_led_info", "set_auto_off_config",
	"set_protection_power", "set_device_time", "heart_beat",
}

func (p *Plug) setDeviceInfo(params json.RawMessage) int {
	var set struct {
		On *bool `json:"device_on"`
	}
	if !unmarshal(params, &set) {
		return codeParams
	}
	if set.On != nil {
		p.meter.setRelay(*set.On, p.Now())
	}
	return 0
}

// plainMethod returns the result of a method that every plug has, or nil.
func (p *Plug) plainMethod(method string, now sample) any {
	switch method {
	case "component_nego":
		return map[string]any{"component_list": p.Model.Components}
	case "qs_component_nego":
		return map[string]any{"component_list": p.Model.Components, "extra_info": map[string]any{
			"device_model": p.Model.Name, "device_type": "SMART.TAPOPLUG", "is_klap": p.Model.Protocol == KLAP,
		}}
	case "get_device_info":
		return p.deviceInfo(now)
	case "get_device_usage":
		return p.deviceUsage(now)
	case "get_device_time":
		_, standard := time.Date(now.clock.Year(), time.January, 1, 0, 0, 0, 0, p.meter.location).Zone()
		return map[string]any{"region": p.Region, "time_diff": standard / 60, "timestamp": now.clock.Unix()}
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
		if p.Model.has("auto_off", 1) {
			return map[string]any{"enable": false, "delay_min": 120}
		}
	}
	return nil
}

// energyMethod returns the result of a method of metering plugs. ok is true
// when it is one, whether or not the model has it.
func (p *Plug) energyMethod(method string, now sample) (result any, ok bool) {
	metering, protecting := p.Model.has("energy_monitoring", 1), p.Model.has("power_protection", 1)
	switch method {
	case "get_energy_usage":
		if metering {
			result = p.energyUsage(now)
		}
	case "get_current_power":
		if metering {
			result = map[string]any{"current_power": now.milliwatts / 1000}
		}
	case "get_emeter_data":
		if p.Model.Emeter {
			result = map[string]any{
				"current_ma": now.milliamperes, "voltage_mv": now.millivolts, "power_mw": now.milliwatts, "energy_wh": int(now.month.wattHours / 3),
			}
		}
	case "get_emeter_vgain_igain":
		if p.Model.Emeter {
			result = map[string]any{"vgain": 127146, "igain": 11437}
		}
	case "get_electricity_price_config":
		if p.Model.has("energy_monitoring", 2) {
			result = map[string]any{"type": "constant", "constant_price": 0}
		}
	case "get_protection_power":
		if protecting {
			result = map[string]any{"enabled": true, "protection_power": 2960}
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

// deviceInfo is the result of get_device_info.
func (p *Plug) deviceInfo(now sample) any {
	_, standard := time.Date(now.clock.Year(), time.January, 1, 0, 0, 0, 0, p.meter.location).Zone()
	host, _, _ := strings.Cut(p.Addr().String(), ":")
	info := map[string]any{
		"device_id": p.identity.deviceID, "fw_ver": p.Model.Firmware, "hw_ver": p.Model.Hardware,
		"type": "SMART.TAPOPLUG", "model": p.Model.Name, "mac": p.identity.mac,
		"hw_id": p.identity.hardwareID, "fw_id": strings.Repeat("0", 32), "oem_id": p.identity.hardwareID,
		"ip": host, "time_diff": standard / 60, "ssid": base64.StdEncoding.EncodeToString([]byte("simulated")),
		"signal_level": 2, "lang": "en_US", "avatar": "plug", "region": p.Region, "specs": p.Model.Region,
		"nickname": base64.StdEncoding.EncodeToString([]byte(p.Name)), "has_set_location_info": false,
		"device_on": now.on, "on_time": int(now.onTime / time.Second),
	}
	if p.Model.Firmware[:3] != "1.1" || p.Model.Name != "P100" {
		info["rssi"] = -55
		info["default_states"] = map[string]any{"type": "last_states", "state": map[string]any{}}
	}
	if p.Model.has("power_protection", 1) {
		info["power_protection_status"] = "normal"
	}
	if p.Model.has("current_protection", 1) {
		info["overcurrent_status"] = "normal"
	}
	if p.Model.has("charging_protection", 1) {
		info["charging_status"] = "normal"
	}
	if p.Model.has("overheat_protection", 1) {
		info["overheat_status"] = "normal"
	} else if p.Model.Protocol == Passthrough || p.Model.Name == "P100" {
		info["overheated"] = false
	}
	return info
}

// energyUsage is the result of get_energy_usage.
func (p *Plug) energyUsage(now sample) any {
	usage := map[string]any{
		"today_runtime": int(now.today.on / time.Minute), "month_runtime": int(now.month.on / time.Minute),
		"today_energy": int(now.today.wattHours), "month_energy": int(now.month.wattHours),
		"local_time": now.clock.Format(time.DateTime), "electricity_charge": [3]int{}, "current_power": now.milliwatts,
	}
	if !p.Model.has("energy_monitoring", 2) { // the first firmware also had histories
		usage["past24h"], usage["past7d"], usage["past30d"], usage["past1y"] = [24]int{}, [7][24]int{}, [30]int{}, [12]int{}
	}
	return usage
}

// deviceUsage is the result of get_device_usage.
func (p *Plug) deviceUsage(now sample) any {
	window := func(day, month int) [3]int { return [3]int{day, min(month, 7*day), month} }
	named := func(w [3]int) map[string]int { return map[string]int{"today": w[0], "past7": w[1], "past30": w[2]} }
	minutes := window(int(now.today.on/time.Minute), int(now.month.on/time.Minute))
	usage := map[string]any{"time_usage": named(minutes)}
	if p.Model.has("energy_monitoring", 1) {
		wattHours := window(int(now.today.wattHours), int(now.month.wattHours))
		var saved [3]int // compared with a lamp of 60 W, whatever is plugged in
		for i := range saved {
			saved[i] = max(0, minutes[i]-wattHours[i])
		}
		usage["power_usage"], usage["saved_power"] = named(wattHours), named(saved)
	}
	return usage
}

// newIdentity derives ids from a name, so that a plug is the same in every run.
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
	if result != nil {
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
