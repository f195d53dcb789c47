// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"fmt"
	"strings"
	"testing"
)

// TestForeignProtocols sends the requests by which a client tells protocols apart
// without credentials (docs/protocols.md "How the exporter chooses").
func TestForeignProtocols(t *testing.T) {
	const (
		discover = `{"method":"login","params":{"sub_method":"discover"}}`
		nego     = `{"method":"component_nego","params":null}`
	)
	seed := string(make([]byte, 16))
	page := "200 " + stockPage
	for _, tc := range []struct {
		model                          Model
		discover, handshake1, app, get string
	}{
		{P110, `200 {"error_code":1003}`, "200 48 bytes", `200 {"error_code":1003}`, page},
		{P110Compatible, `200 {"error_code":0,"result":{"sub_method":"discover","tpap_preferred":false}}`, "200 48 bytes", `200 {"error_code":1003}`, page},
		{P110TPAP, `200 {"error_code":0,"result":{"mac":"02005E4B5A4D","sub_method":"discover","tpap":{"dac":0,"noc":0,"pake":[2],"port":`, "403 ", `200 {"error_code":1003}`, page},
		{P110Passthrough, page, `200 {"error_code":-1}`, `200 {"error_code":1002}`, page},
	} {
		p := start(t, &Plug{Model: tc.model})
		for path, step := range map[string]struct{ body, want string }{
			"/": {discover, tc.discover}, "/app/handshake1": {seed, tc.handshake1}, "/app": {nego, tc.app}, "/elsewhere": {"", "404 "},
		} {
			status, header, body := post(t, p, path, "", []byte(step.body))
			got := fmt.Sprintf("%d %s", status, body)
			if len(body) == 48 {
				got = fmt.Sprintf("%d 48 bytes", status)
				if cookie := header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "TP_SESSIONID=") || !strings.HasSuffix(cookie, ";TIMEOUT=86400") {
					t.Errorf("cookie %q", cookie)
				}
			}
			if !strings.HasPrefix(got, step.want) || step.want == "403 " && got != step.want {
				t.Errorf("%s %s: %s, want %s", tc.model.Protocol, path, got, step.want)
			}
		}
		if status, header, body := raw(t, p, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); fmt.Sprintf("%d %s", status, body) != tc.get || header.Get("Server") != "SHIP 2.0" {
			t.Errorf("GET: %d %s %v", status, body, header)
		}
	}
}
