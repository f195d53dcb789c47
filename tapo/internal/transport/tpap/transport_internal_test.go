// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
)

func TestEndpoint(t *testing.T) {
	for _, tc := range []struct {
		address   string
		announced Announcement
		want      string
		secure    bool
	}{
		{"192.0.2.1:80", Announcement{}, "192.0.2.1:80", false},
		{"192.0.2.1:80", Announcement{Port: 80}, "192.0.2.1:80", false},
		{"192.0.2.1:80", Announcement{Port: 8080}, "192.0.2.1:8080", false},
		{"192.0.2.1:8001", Announcement{Port: 80}, "192.0.2.1:8001", false}, // forwarded by a router
		{"192.0.2.1:80", Announcement{TLS: 1}, "192.0.2.1:443", true},
		{"192.0.2.1:80", Announcement{TLS: 2, Port: 4433}, "192.0.2.1:4433", true},
		{"[fd00::1]:80", Announcement{TLS: 2, Port: 4433}, "[fd00::1]:4433", true},
	} {
		l := transport.Link{Address: tc.address, Now: time.Now}
		if got := endpoint(l, tc.announced); got.Address != tc.want || (got.TLS != nil) != tc.secure {
			t.Errorf("%s, %+v: %+v", tc.address, tc.announced, got)
		}
	}
}
