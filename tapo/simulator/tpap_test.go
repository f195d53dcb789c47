// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/tpap"
)

func TestDataChannel(t *testing.T) {
	const text = `{"method":"get_device_time"}`
	for name, tc := range map[string]struct {
		seqs []uint32
		flip int // the byte to damage in the last frame, if not 0
		cut  int // the length to cut it to, if not 0
		code int // of the last reply; 0 means a sealed one
	}{
		"first":           {seqs: []uint32{100}},
		"next":            {seqs: []uint32{100, 101, 102}},
		"ahead":           {seqs: []uint32{105, 1106}},
		"too far ahead":   {seqs: []uint32{100, 1102}, code: codeSessionExpired},
		"again":           {seqs: []uint32{100, 100}, code: codeSessionExpired},
		"behind":          {seqs: []uint32{99}, code: codeSessionExpired},
		"damaged":         {seqs: []uint32{100, 101}, flip: 10, code: codeTag},
		"short":           {seqs: []uint32{100}, cut: 19, code: codeSessionExpired},
		"header in front": {seqs: []uint32{0x54504150}, code: codeSessionExpired},
	} {
		p := newProver(t, TPAPOptions{})
		path, frames := p.login()
		send := func(seq uint32, flip, cut int) (string, int) {
			frame := frames.Seal(seq, []byte(text))
			if flip != 0 {
				frame[flip] ^= 1
			}
			if cut != 0 {
				frame = frame[:cut]
			}
			_, header, body := post(t, p.plug, path, "", frame)
			if answer, err := frames.Open(seq, body); err == nil && header.Get("Content-Type") == contentBinary {
				return string(answer), 0
			}
			var refusal struct {
				ErrorCode int `json:"error_code"`
			}
			if err := json.Unmarshal(body, &refusal); err != nil || header.Get("Content-Type") != contentJSON {
				t.Errorf("%s: %x, %v", name, body, header)
			}
			return "", refusal.ErrorCode
		}
		for i, seq := range tc.seqs {
			last := i == len(tc.seqs)-1
			flip, cut, want := 0, 0, 0
			if last {
				flip, cut, want = tc.flip, tc.cut, tc.code
			}
			answer, code := send(seq, flip, cut)
			if code != want || code == 0 && !strings.Contains(answer, `"error_code":`) {
				t.Errorf("%s, %d: code %d, want %d: %s", name, seq, code, want, answer)
			}
		}
		if tc.code != 0 { // a refusal ends the session
			if _, code := send(200, 0, 0); code != tpap.CodeDenied {
				t.Errorf("%s: code %d after it", name, code)
			}
		}
	}
}

// TestPlainHTTPUnderTLS: a plug that announces TLS refuses a login without it.
func TestPlainHTTPUnderTLS(t *testing.T) {
	p := newProver(t, TPAPOptions{TLS: 1})
	if code, result := p.step(map[string]any{"sub_method": tpap.Discover}); code != 0 || !strings.Contains(string(result["tpap"]), `"tls":1`) {
		t.Errorf("discover: %d %s", code, result["tpap"])
	}
	body, err := json.Marshal(map[string]any{"method": "login", "params": goodRegister()})
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _ := post(t, p.plug, "/", "", body); status != 404 {
		t.Errorf("register over plain HTTP: %d", status)
	}
}
