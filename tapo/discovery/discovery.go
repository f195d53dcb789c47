// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package discovery finds TP-Link devices on the local network.
//
// A probe over UDP, broadcast or sent to known addresses, makes devices say who
// they are: model, MAC address, protocol, a hash of the e-mail of the account
// that they belong to. Anybody can send such a reply, so it is good for finding
// addresses and nothing else: what is found has to be logged in to before it is
// believed, and must never be given a password.
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

// Port is the UDP port where devices listen.
const Port = tdp.Port

// Device is what a device says of itself. Nothing of it is proven. Texts are
// valid UTF-8, empty where the device has not said anything, or nonsense.
type Device struct {
	// Address is where the reply came from, with the port of the device's web
	// server.
	Address netip.AddrPort `json:"address"`
	// MAC is in the form AA-BB-CC-00-11-22.
	MAC string `json:"mac"`
	// ID is not the device_id of a reading, but stays the same as well.
	ID string `json:"device_id"`
	// Owner is a hash of the account's e-mail, see [Owner]; empty while the
	// device is not bound to an account.
	Owner string `json:"-"`
	// Type is SMART.TAPOPLUG or another.
	Type string `json:"device_type"`
	// Model is P110, and Region what followed it in brackets.
	Model  string `json:"model"`
	Region string `json:"region"`
	// IP is the address that the device believes to have.
	IP string `json:"ip"`
	// Hardware and Firmware are versions, which few devices give.
	Hardware string `json:"hw_ver"`
	Firmware string `json:"fw_ver"`
	// SetUpBy is tplink, matter, apple or tss.
	SetUpBy string `json:"obd_src"`
	// FactoryDefault marks a device that is not set up.
	FactoryDefault bool `json:"factory_default"`

	// Encryption is KLAP, TPAP or AES, which is securePassthrough.
	Encryption string `json:"encrypt_type"`
	// LoginVersion is that of a login, 0 where none is given.
	LoginVersion int `json:"lv"`
	// HTTPS tells whether the device wants TLS.
	HTTPS bool `json:"is_support_https"`
	// PrefersTPAP, and the port and the TLS mode of TPAP.
	PrefersTPAP bool `json:"tpap_preferred"`
	TPAPPort    int  `json:"tpap_port"`
	TPAPTLS     int  `json:"tpap_tls"`
	// Connection is wireless or wired; from what is encrypted.
	Connection string `json:"connect_type"`
}

// Protocol is what the device says it speaks, "" if that is none that package
// tapo knows.
func (d Device) Protocol() tapo.Protocol {
	switch d.Encryption {
	case "AES":
		return tapo.Passthrough
	case "KLAP":
		return tapo.KLAP
	case "TPAP":
		return tapo.TPAP
	}
	return ""
}

// IsPlug reports whether it is a plug or a strip that package tapo can read.
// Cameras, robots, hubs and lamps are none, nor are plugs of the older Kasa
// generation.
func (d Device) IsPlug() bool {
	return strings.HasPrefix(d.Type, "SMART.") && strings.HasSuffix(d.Type, "PLUG") && d.MAC != ""
}

// MayBelongTo reports whether the device may belong to the account of an e-mail
// address: it does not name its owner, or its owner's is this one, if perhaps in
// another spelling, of which logging in will tell.
func (d Device) MayBelongTo(email string) bool {
	trimmed := strings.TrimSpace(email)
	return d.Owner == "" || slices.Contains([]string{Owner(email), Owner(trimmed), Owner(strings.ToLower(trimmed))}, d.Owner)
}

// Name is one that the device keeps wherever it goes: its model and the last six
// digits of its MAC address.
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

// Owner returns the hash by which devices name the account of an e-mail address,
// whose letter case counts.
func Owner(email string) string { return tdp.Owner(email) }

// errNotADevice says that a packet is no reply.
var errNotADevice = errors.New("not a reply to a discovery probe")

// reply is the JSON of one.
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

// details is the JSON that some devices encrypt.
type details struct {
	DeviceID   lenient.Text   `json:"device_id"`
	Owner      lenient.Text   `json:"owner"`
	Connection lenient.Text   `json:"connect_type"`
	HTTPPort   lenient.Number `json:"http_port"`
}

// parse reads a reply that came from an address. key is that of the probe.
func parse(packet []byte, from netip.Addr, key *rsa.PrivateKey) (Device, error) {
	var r reply
	err := json.NewDecoder(bytes.NewReader(tdp.Payload(packet))).Decode(&r) // more may follow
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
		Encryption: strings.ToUpper(clean(v.Scheme.Encryption)), LoginVersion: small(v.Scheme.Version), HTTPS: v.Scheme.HTTPS.Value,
		PrefersTPAP: v.PrefersTPAP.Value, TPAPPort: small(v.TPAP.Port), TPAPTLS: small(v.TPAP.TLS), Connection: clean(more.Connection),
	}
	return d, nil
}

// port returns the first valid one, 80 if there is none.
func port(candidates ...lenient.Number) uint16 {
	for _, c := range candidates {
		if n := small(c); n > 0 {
			return uint16(n) //nolint:gosec // below 65536
		}
	}
	return 80
}

// small returns a number from 1 to 65535, or else 0.
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

// clean makes a text that a stranger has sent fit for a line of a terminal or a
// file: printable, and short.
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
