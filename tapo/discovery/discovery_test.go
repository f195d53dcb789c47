// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/tdp"
)

// recorded returns the replies of testdata by name, and the key of the one that is
// encrypted.
func recorded(t testing.TB) (map[string][]byte, *rsa.PrivateKey) {
	t.Helper()
	data, err := os.ReadFile("../internal/tdp/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Key struct {
			Private string `json:"private_pkcs8_der_b64"`
		} `json:"rsa_test_key_2048"`
		Responses []struct {
			Name  string
			Frame string `json:"frame_hex"`
		}
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	der, err := base64.StdEncoding.DecodeString(v.Key.Private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	packets := map[string][]byte{}
	for _, r := range v.Responses {
		if packets[r.Name], err = hex.DecodeString(r.Frame); err != nil {
			t.Fatal(err)
		}
	}
	return packets, key.(*rsa.PrivateKey)
}

func TestRecordedReplies(t *testing.T) {
	packets, key := recorded(t)
	base := Device{
		Address: netip.AddrPortFrom(here, 80), MAC: "AA-BB-CC-00-11-22", ID: "00112233445566778899aabbccddeeff",
		Owner: "B58996C504C5638798EB6B511E6F49AF", Type: "SMART.TAPOPLUG", Model: "P110", Region: "EU", IP: "192.0.2.10",
		SetUpBy: "tplink", Encryption: "KLAP", LoginVersion: 2,
	}
	with := func(change func(*Device)) Device {
		d := base
		change(&d)
		return d
	}
	for name, want := range map[string]Device{
		"klap_lv2":  base,
		"aes_no_lv": with(func(d *Device) { d.Model, d.Region, d.Encryption, d.LoginVersion = "P100", "", "AES", 0 }),
		"aes_lv2":   with(func(d *Device) { d.Encryption = "AES" }),
		"tpap":      with(func(d *Device) { d.Encryption, d.PrefersTPAP, d.TPAPFirmware, d.TPAPPort = "TPAP", true, true, 80 }),
		"iot_klap_v1": with(func(d *Device) {
			d.Type, d.Model, d.Region, d.LoginVersion = "IOT.SMARTPLUGSWITCH", "HS100", "UK", 0
		}),
		"iot_klap_new": with(func(d *Device) { d.Type, d.Model, d.Region = "IOT.SMARTPLUGSWITCH", "KP115", "US" }),
		"with_encrypt_info": with(func(d *Device) {
			d.Connection = "wireless"
		}),
	} {
		got, err := parse(packets[name], here, key)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		ignore := cmpopts.IgnoreFields(Device{}, "Encryption", "LoginVersion", "PrefersTPAP", "HTTPS")
		if strings.HasPrefix(name, "klap") || strings.HasPrefix(name, "aes") || name == "tpap" {
			ignore = cmpopts.IgnoreFields(Device{}, "PrefersTPAP")
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{}), ignore); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		if plug := !strings.HasPrefix(name, "iot"); got.IsPlug() != plug {
			t.Errorf("%s: plug %t", name, got.IsPlug())
		}
	}
	if got, err := parse(packets["with_encrypt_info"], here, nil); err != nil || got.Connection != "" {
		t.Errorf("without the key: %+v, %v", got, err)
	}
}

func TestOddReplies(t *testing.T) {
	for text, want := range map[string]Device{
		`{"result":{"mac":"aa:bb:cc:00:11:22"},"error_code":0}`:                        {MAC: "AA-BB-CC-00-11-22"},
		`{"result":{"mac":"AA-BB-CC-00-11-22"}}` + "\x00\x00{":                         {MAC: "AA-BB-CC-00-11-22"},
		`{"result":{"device_id":"1","mac":"00-00-00-00-00-00"}}`:                       {ID: "1"},
		`{"result":{"device_id":"1","mac":"FF-FF-FF-FF-FF-FF"}}`:                       {ID: "1"},
		`{"result":{"mac":"aabbcc001122","device_type":"smart.tapoplug"}}`:             {MAC: "AA-BB-CC-00-11-22", Type: "SMART.TAPOPLUG"},
		`{"result":{"device_id":"1","mac":"nonsense"}}`:                                {ID: "1"},
		`{"result":{"device_id":"1","mac":5,"owner":[],"device_model":{}}}`:            {ID: "1"},
		`{"result":{"device_id":"1","mgt_encrypt_schm":{"http_port":70000}}}`:          {ID: "1"},
		`{"result":{"device_id":"1","mgt_encrypt_schm":{"http_port":0,"lv":-1}}}`:      {ID: "1"},
		`{"result":{"device_id":"1","mgt_encrypt_schm":"KLAP","tpap":7}}`:              {ID: "1", TPAPFirmware: true},
		`{"result":{"device_id":"1","mgt_encrypt_schm":null,"owner":null}}`:            {ID: "1"},
		`{"result":{"device_id":"1","mgt_encrypt_schm":{"encrypt_type":["3"]}}}`:       {ID: "1"},
		`{"result":{"device_id":"1","protocol_version":[],"factory_default":"true"}}`:  {ID: "1", TPAPFirmware: true, FactoryDefault: true},
		`{"result":{"device_id":"1","tpap_preferred":null}}`:                           {ID: "1", TPAPFirmware: true},
		`{"result":{"device_id":"1","encrypt_info":{"key":"!","data":"?"}}}`:           {ID: "1"},
		`{"result":{"device_id":"1","encrypt_info":"x"}}`:                              {ID: "1"},
		`{"result":{"device_id":"1","device_model":"P110(EU"}}`:                        {ID: "1", Model: "P110", Region: "EU"},
		`{"result":{"device_id":"1","device_model":"\u001b[31mP1\n10\u0000é(EU)(x)"}}`: {ID: "1", Model: "[31mP110", Region: "EU"},
		"{\"result\":{\"device_id\":\"1\",\"device_model\":\"\xff\"}}":                 {ID: "1"},
		`{"result":{"device_id":"` + strings.Repeat("a", 5000) + `"}}`:                 {ID: strings.Repeat("a", 64)},
		`{"result":{"device_id":"1","owner":"b58996c504c5638798eb6b511e6f49af"}}`:      {ID: "1", Owner: "B58996C504C5638798EB6B511E6F49AF"},
		`{"result":{"device_id":"1","mgt_encrypt_schm":{"http_port":"4433"}}}`:         {ID: "1", Address: netip.AddrPortFrom(here, 4433)},
	} {
		if !want.Address.IsValid() {
			want.Address = netip.AddrPortFrom(here, 80)
		}
		got, err := parse(tdp.Reply([]byte(text)), here, nil)
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); err != nil || diff != "" {
			t.Errorf("%.80s: %v (-want +got)\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"", "{", "[]", "null", "5", "{}", `{"result":{}}`, `{"result":{"mac":"x"},"error_code":-1}`, "<html>"} {
		if d, err := parse(tdp.Reply([]byte(text)), here, nil); err == nil {
			t.Errorf("%q is %+v", text, d)
		}
	}
	for n := range 17 {
		if _, err := parse(make([]byte, n), here, nil); err == nil {
			t.Errorf("%d bytes are a reply", n)
		}
	}
}

// TestNewFirmwareThatAnnouncesAES: what the reply of a TP15 with firmware 1.4.2 contains
// (python-kasa/python-kasa#1653) is not the reply of a plug that needs securePassthrough.
func TestNewFirmwareThatAnnouncesAES(t *testing.T) {
	for members, want := range map[string]tapo.Protocol{
		``: tapo.Passthrough, `"protocol_version":1,"tpap_preferred":false,`: "", `"protocol_version":1,`: "", `"tpap_preferred":false,`: "", `"tpap":{},`: "",
	} {
		d, err := parse(tdp.Reply([]byte(`{"result":{`+members+`"device_id":"1","mgt_encrypt_schm":{"encrypt_type":"AES","lv":2}}}`)), here, nil)
		if got := d.Protocol(); err != nil || got != want {
			t.Errorf("%s: %q, want %q, %v", members, got, want, err)
		}
	}
}

func TestSetUpMode(t *testing.T) {
	mine, email := Owner("user@example.com"), "user@example.com"
	for d, want := range map[Device]struct{ setUp, belongs bool }{
		{}:                                  {false, true},
		{FactoryDefault: true}:              {true, false},
		{Owner: mine}:                       {false, true},
		{Owner: mine, FactoryDefault: true}: {false, true},
		{Owner: Owner("x"), FactoryDefault: true}: {false, false},
	} {
		if d.InSetUpMode() != want.setUp || d.MayBelongTo(email) != want.belongs {
			t.Errorf("%+v: in set-up mode %t, may belong %t", d, d.InSetUpMode(), d.MayBelongTo(email))
		}
	}
}

func TestNames(t *testing.T) {
	for _, tc := range []struct{ model, mac, want string }{
		{"P110", "AA-BB-CC-00-11-22", "p110-001122"},
		{"KP125M", "AA-BB-CC-DD-EE-FF", "kp125m-ddeeff"},
		{"", "AA-BB-CC-00-11-22", "plug-001122"},
		{"a/b ☃\n", "AA-BB-CC-00-11-22", "ab-001122"},
	} {
		if got := (Device{Model: tc.model, MAC: tc.mac}).Name(); got != tc.want {
			t.Errorf("%+v: %q", tc, got)
		}
	}
	if got := Owner("test@example.com"); got != "55502F40DC8B7C769880B10874ABC9D0" { // computed with md5sum
		t.Errorf("owner %s", got)
	}
	for encryption, want := range map[string]tapo.Protocol{"AES": tapo.Passthrough, "KLAP": tapo.KLAP, "TPAP": tapo.TPAP, "XOR": "", "": ""} {
		if got := (Device{Encryption: encryption}).Protocol(); got != want {
			t.Errorf("%s: %s", encryption, got)
		}
	}
	for kind, want := range map[string]bool{
		"SMART.TAPOPLUG": true, "SMART.KASAPLUG": true, "SMART.IPCAMERA": false, "SMART.TAPOROBOVAC": false, "SMART.TAPOHUB": false,
		"SMART.TAPOBULB": false, "IOT.SMARTPLUGSWITCH": false, "": false,
	} {
		if got := (Device{Type: kind, MAC: "AA-BB-CC-00-11-22"}).IsPlug(); got != want {
			t.Errorf("%q: %t", kind, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	packets, key := recorded(f)
	for _, p := range packets {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		d, err := parse(packet, here, key)
		if err != nil {
			return
		}
		for _, s := range []string{d.MAC, d.ID, d.Owner, d.Type, d.Model, d.Region, d.IP, d.Hardware, d.Firmware, d.SetUpBy, d.Encryption, d.Connection, d.Name()} {
			if len(s) > 80 || strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII || unicode.IsControl(r) }) {
				t.Errorf("%q", s)
			}
		}
		if d.Address.Port() == 0 || d.MAC != "" && tapo.ParseMAC(d.MAC) != d.MAC {
			t.Errorf("%+v", d)
		}
	})
}
