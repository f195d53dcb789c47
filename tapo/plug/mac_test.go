// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package plug

import "testing"

func TestParseMAC(t *testing.T) {
	const want = "AA-BB-CC-00-11-22"
	for text, want := range map[string]string{
		"AA-BB-CC-00-11-22": want, "aa:bb:cc:00:11:22": want, "aabbcc001122": want, "": "", "AA-BB-CC-00-11": "", "AA-BB-CC-00-11-22-33": "",
		"AA-BB-CC-00-11-2G": "", "AABBCC-001122": "", "00-00-00-00-00-00": "", "FF-FF-FF-FF-FF-FF": "", "01-00-5E-00-00-01": "",
	} {
		if got := ParseMAC(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
