// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bufio"
	"bytes"
	"fmt"
	"testing"
)

// TestWebServerQuirks sends requests that a plug's web server misunderstands.
func TestWebServerQuirks(t *testing.T) {
	p := start(t, &Plug{})
	const app = "POST /app HTTP/1.1\r\nHost: x\r\n"
	for name, tc := range map[string]struct {
		message, want string
	}{
		"well-formed":             {app + "Content-Length: 2\r\n\r\n{}", `200 {"error_code":1003}`},
		"lower-case length":       {app + "content-length: 2\r\n\r\n{}", "200 " + stockPage},
		"empty header value":      {app + "Cookie: \r\nContent-Length: 2\r\n\r\n{}", "200 " + stockPage},
		"no length":               {app + "\r\n", "500 "},
		"chunks":                  {app + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "500 "},
		"length is no number":     {app + "Content-Length: two\r\n\r\n{}", "400 "},
		"length is negative":      {app + "Content-Length: -2\r\n\r\n{}", "400 "},
		"length is absurd":        {app + "Content-Length: 99999999\r\n\r\n{}", "400 "},
		"no request line":         {"hello\r\n\r\n", "400 "},
		"lower-case other header": {app + "accept: x\r\nContent-Length: 2\r\n\r\n{}", `200 {"error_code":1003}`},
	} {
		status, _, body := raw(t, p, tc.message)
		if got := fmt.Sprintf("%d %s", status, body); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add([]byte("POST /app HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("GET / HTTP/1.1\r\ncookie:\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		req, err := readRequest(bufio.NewReader(bytes.NewReader(data)))
		if err == nil && len(req.body) > maxBody {
			t.Errorf("a body of %d bytes", len(req.body))
		}
	})
}
