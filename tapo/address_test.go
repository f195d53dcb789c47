// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

func TestParseAddress(t *testing.T) {
	for address, want := range map[string]string{
		"192.168.1.20":      "192.168.1.20:80",
		"192.168.1.20:8080": "192.168.1.20:8080",
		"plug.lan":          "plug.lan:80",
		"fd00::1":           "[fd00::1]:80",
		"[fd00::1]":         "[fd00::1]:80",
		"[fd00::1]:81":      "[fd00::1]:81",
		// Other spellings of the same.
		"Plug.LAN.":             "plug.lan:80",
		"192.168.1.20:080":      "192.168.1.20:80",
		"::ffff:192.168.1.20":   "192.168.1.20:80",
		"fd00:0:0::1":           "[fd00::1]:80",
		"[FD00::0001]:80":       "[fd00::1]:80",
		"[::ffff:10.0.0.1]:080": "10.0.0.1:80",
	} {
		if got, err := tapo.ParseAddress(address); got != want || err != nil {
			t.Errorf("%s: %q, %v", address, got, err)
		}
	}
}
