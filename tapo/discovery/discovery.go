// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package discovery finds TP-Link devices on the local network.
//
// Devices reply to a probe over UDP, broadcast or sent to known addresses. A reply has
// the model, the MAC address, the protocol, and a hash of the e-mail address of the
// account. Anybody can send such a reply. Use it to find addresses only: nothing in it
// is true until a login has proved it, and no password may be sent because of it.
//
// The replies are those that python-kasa's discover.py and mihai-dinculescu/tapo read.
package discovery

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/tdp"
)

// Port is the UDP port that devices listen on.
const Port = tdp.Port

// Device is the content of a reply. Nothing in it is proven. Texts are printable ASCII;
// a text that is missing or of another type is empty.
type Device struct {
	// Address is the source of the reply, with the port of the device's web server.
	Address netip.AddrPort `json:"address"`
	// MAC is in the form AA-BB-CC-00-11-22.
	MAC string `json:"mac"`
	// ID never changes. It is not the device_id of a reading.
	ID string `json:"device_id"`
	// Owner is a hash of the account's e-mail address, see [Owner]. It is empty if the
	// device is not bound to an account.
	Owner string `json:"-"`
	// Type is SMART.TAPOPLUG or another.
	Type string `json:"device_type"`
	// Model is P110, and Region the text in brackets after it, such as EU.
	Model  string `json:"model"`
	Region string `json:"region"`
	// IP is the device's own address in the reply.
	IP string `json:"ip"`
	// Hardware and Firmware are versions. Few devices have them.
	Hardware string `json:"hw_ver"`
	Firmware string `json:"fw_ver"`
	// SetUpBy is tplink, matter, apple or tss. With tss, another TP-Link device set
	// this one up, perhaps with other credentials (python-kasa/python-kasa#1353).
	SetUpBy string `json:"obd_src"`
	// FactoryDefault is what the device reports. See [Device.InSetUpMode].
	FactoryDefault bool `json:"factory_default"`

	// Encryption is KLAP, TPAP or AES, which is securePassthrough.
	Encryption string `json:"encrypt_type"`
	// TPAPFirmware means that the reply has a member that only firmware of the TPAP
	// generation sends. Such firmware may announce AES and not speak it
	// (python-kasa/python-kasa#1653).
	TPAPFirmware bool `json:"tpap_firmware"`
	// LoginVersion is 0 if there is none, as on the oldest firmware.
	LoginVersion int `json:"lv"`
	// HTTPS means that the web server uses TLS.
	HTTPS bool `json:"is_support_https"`
	// PrefersTPAP means that the device speaks TPAP. TPAPPort and TPAPTLS are the port
	// and the TLS mode of TPAP.
	PrefersTPAP bool `json:"tpap_preferred"`
	TPAPPort    int  `json:"tpap_port"`
	TPAPTLS     int  `json:"tpap_tls"`
	// Connection is wireless or wired. It comes from the encrypted part of a reply.
	Connection string `json:"connect_type"`
}

// Protocol returns the announced protocol, "" if only the plug itself can show it. A plug
// may announce TPAP and speak KLAP (python-kasa/python-kasa#1733).
func (d Device) Protocol() tapo.Protocol {
	switch d.Encryption {
	case "AES":
		if d.TPAPFirmware {
			return ""
		}
		return tapo.Passthrough
	case "KLAP":
		return tapo.KLAP
	case "TPAP":
		return tapo.TPAP
	}
	return ""
}

// IsPlug reports whether the device is a plug or a strip that package tapo can read.
// It is false for cameras, robots, hubs, lamps, and plugs of the older Kasa
// generation.
func (d Device) IsPlug() bool {
	return strings.HasPrefix(d.Type, "SMART.") && strings.HasSuffix(d.Type, "PLUG") && d.MAC != ""
}

// InSetUpMode reports whether the device waits to be added in the app. It takes no
// account until then.
func (d Device) InSetUpMode() bool { return d.FactoryDefault && d.Owner == "" }

// MayBelongTo reports whether the device may belong to the account of an e-mail
// address. It does if it reports no owner and is set up, or if the owner's hash is that
// of this address, without blanks at its ends, or in lower case.
func (d Device) MayBelongTo(email string) bool {
	trimmed := strings.TrimSpace(email)
	return d.Owner == "" && !d.InSetUpMode() || slices.Contains([]string{Owner(email), Owner(trimmed), Owner(strings.ToLower(trimmed))}, d.Owner)
}

// Name returns a name that does not depend on the device's address: its model and the
// last six digits of its MAC address.
func (d Device) Name() string {
	model := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(d.Model))
	if model == "" {
		model = "plug"
	}
	mac := strings.ToLower(strings.ReplaceAll(d.MAC, "-", ""))
	return model + "-" + mac[max(0, len(mac)-6):]
}

// Owner returns the hash of an account's e-mail address in a reply. Letter case
// matters.
func Owner(email string) string { return tdp.Owner(email) }

// errNotADevice means that a packet is not a reply.
var errNotADevice = errors.New("not a reply to a discovery probe")

// reply is the JSON of a reply.
type reply struct {
	ErrorCode lenient.Number `json:"error_code"`
	Result    struct {
		DeviceID       lenient.Text `json:"device_id"`
		Owner          lenient.Text `json:"owner"`
		Type           lenient.Text `json:"device_type"`
		Model          lenient.Text `json:"device_model"`
		IP             lenient.Text `json:"ip"`
		MAC            lenient.Text `json:"mac"`
		Hardware       lenient.Text `json:"hw_ver"`
		Firmware       lenient.Text `json:"sv"`
		SetUpBy        lenient.Text `json:"obd_src"`
		FactoryDefault lenient.Flag `json:"factory_default"`
		PrefersTPAP    lenient.Flag `json:"tpap_preferred"`
		Scheme         struct {
			HTTPS      lenient.Flag   `json:"is_support_https"`
			Encryption lenient.Text   `json:"encrypt_type"`
			HTTPPort   lenient.Number `json:"http_port"`
			Version    lenient.Number `json:"lv"`
		} `json:"mgt_encrypt_schm"`
		TPAP struct {
			Port lenient.Number `json:"port"`
			TLS  lenient.Number `json:"tls"`
		} `json:"tpap"`
		Encrypted *tdp.Encrypted `json:"encrypt_info"`
	} `json:"result"`
}

// tpapMembers are the members of a reply that only firmware of the TPAP generation sends.
var tpapMembers = []string{"protocol_version", "tpap_preferred", "tpap"}

// hasTPAPMembers reports whether a reply has one of them, with whatever value.
func hasTPAPMembers(payload []byte) bool {
	var members struct {
		Result map[string]json.RawMessage `json:"result"`
	}
	if json.NewDecoder(bytes.NewReader(payload)).Decode(&members) != nil {
		return false
	}
	return slices.ContainsFunc(tpapMembers, func(name string) bool {
		_, has := members.Result[name]
		return has
	})
}

// details is the JSON of the encrypted part of a reply. Plugs do not encrypt.
type details struct {
	DeviceID   lenient.Text   `json:"device_id"`
	Owner      lenient.Text   `json:"owner"`
	Connection lenient.Text   `json:"connect_type"`
	HTTPPort   lenient.Number `json:"http_port"`
}

// parse reads a reply from an address. key is the key of the probe; nil leaves the
// encrypted part out.
func parse(packet []byte, from netip.Addr, key *rsa.PrivateKey) (Device, error) {
	var r reply
	err := json.NewDecoder(bytes.NewReader(tdp.Payload(packet))).Decode(&r) // bytes may follow the JSON
	_, mistyped := errors.AsType[*json.UnmarshalTypeError](err)
	_, corrupt := errors.AsType[base64.CorruptInputError](err)
	if err != nil && !mistyped && !corrupt { // such members stay empty
		return Device{}, errNotADevice
	}
	v := &r.Result
	if r.ErrorCode.Value != 0 || v.DeviceID == "" && v.MAC == "" {
		return Device{}, errNotADevice
	}
	var more details
	if v.Encrypted != nil && key != nil {
		if plain, err := v.Encrypted.Open(key); err == nil {
			_ = json.Unmarshal(plain, &more) // members of odd types stay empty
		}
	}
	model, rest, _ := strings.Cut(clean(v.Model), "(")
	region, _, _ := strings.Cut(rest, ")")
	d := Device{
		Address: netip.AddrPortFrom(from.Unmap(), port(v.Scheme.HTTPPort, more.HTTPPort)),
		MAC:     tapo.ParseMAC(string(v.MAC)), ID: clean(or(v.DeviceID, more.DeviceID)), Owner: strings.ToUpper(clean(or(v.Owner, more.Owner))),
		Type: strings.ToUpper(clean(v.Type)), Model: strings.TrimSpace(model), Region: region, IP: clean(v.IP),
		Hardware: clean(v.Hardware), Firmware: clean(v.Firmware), SetUpBy: clean(v.SetUpBy), FactoryDefault: v.FactoryDefault.Value,
		Encryption: strings.ToUpper(clean(v.Scheme.Encryption)), TPAPFirmware: hasTPAPMembers(tdp.Payload(packet)), LoginVersion: small(v.Scheme.Version), HTTPS: v.Scheme.HTTPS.Value,
		PrefersTPAP: v.PrefersTPAP.Value, TPAPPort: small(v.TPAP.Port), TPAPTLS: small(v.TPAP.TLS), Connection: clean(more.Connection),
	}
	return d, nil
}

// port returns the first valid port, 80 if there is none.
func port(candidates ...lenient.Number) uint16 {
	for _, c := range candidates {
		if n := small(c); n > 0 {
			return uint16(n) //nolint:gosec // below 65536
		}
	}
	return 80
}

// small returns a whole number from 1 to 65535, and 0 for any other.
func small(n lenient.Number) int {
	if n.Valid && n.Value >= 1 && n.Value <= 65535 && n.Value == float64(int(n.Value)) {
		return int(n.Value)
	}
	return 0
}

func or(a, b lenient.Text) lenient.Text {
	if a != "" {
		return a
	}
	return b
}

// clean makes a text from the network safe for a terminal or a file: printable ASCII,
// on one line, and short.
func clean(t lenient.Text) string {
	const longest = 64
	s := strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return -1
		}
		return r
	}, string(t))
	return strings.TrimSpace(s[:min(len(s), longest)])
}
