// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/tdp"
)

// TestProbeForms sends the probes of three clients: without a key, with one of 2048 bits,
// and with one of 1024 bits in PKCS#1.
func TestProbeForms(t *testing.T) {
	data, err := os.ReadFile("../internal/tdp/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	type probe struct {
		Frame string `json:"frame_hex"`
	}
	var vectors struct {
		Empty probe `json:"empty_probe"`
		Big   probe `json:"probe_rsa_2048"`
		Small probe `json:"probe_rsa_1024"`
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		model Model
		want  string
	}{
		{P110, `"encrypt_type":"KLAP"`},
		{P110TPAP, `"protocol_version":1,"tpap":{"dac":0,"noc":0,"pake":[2],"port":`},
		{P110Compatible, `"tpap_preferred":false`},
		{P100Old, `"encrypt_type":"AES"`},
	} {
		p := start(t, &Plug{Model: m.model, Discovery: "127.0.0.1:0"})
		conn, err := net.Dial("udp", p.DiscoveryAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for name, frame := range map[string]string{"without a key": vectors.Empty.Frame, "SPKI": vectors.Big.Frame, "PKCS#1": vectors.Small.Frame} {
			sent, err := hex.DecodeString(frame)
			if err != nil || len(sent) == 0 {
				t.Fatal(frame, err)
			}
			if _, err := conn.Write(sent); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			reply := make([]byte, 2048)
			n, err := conn.Read(reply)
			if payload := tdp.Payload(reply[:n]); err != nil || !json.Valid(payload) || !bytes.Contains(payload, []byte(m.want)) {
				t.Errorf("%s %s, %s: %s, %v", m.model.Name, m.model.Protocol, name, payload, err)
			}
		}
		if got := fmt.Sprint(p.Stats().Datagrams); got != "3" {
			t.Errorf("%s datagrams", got)
		}
	}
}
