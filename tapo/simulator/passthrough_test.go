// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
)

// TestPassthroughSteps: each step requires the previous one.
func TestPassthroughSteps(t *testing.T) {
	p := start(t, &Plug{Model: P110Passthrough})
	for request, want := range map[string]string{
		`{"method":"handshake","params":{"key":"x"}}`: `{"error_code":-1010}`,
		string(passthrough.SealedRequest("AAAA")):     `{"error_code":9999}`,
		`not JSON`:              `{"error_code":-1003}`,
		`{"method":"anything"}`: `{"error_code":1002}`,
	} {
		if _, _, body := post(t, p, "/app", "", []byte(request)); string(body) != want {
			t.Errorf("%s: %s, want %s", request, body, want)
		}
	}
}
