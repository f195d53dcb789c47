// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package plug

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// ParseMAC returns the MAC address of a device in the form AA-BB-CC-00-11-22, ""
// if it is none.
func ParseMAC(text string) string {
	digits := strings.Map(func(r rune) rune {
		if r == '-' || r == ':' {
			return -1
		}
		return r
	}, text)
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) != 6 || len(text) != 12 && len(text) != 17 {
		return ""
	}
	if group := raw[0]&1 != 0; group || [6]byte(raw) == [6]byte{} {
		return ""
	}
	return strings.ReplaceAll(fmt.Sprintf("% X", raw), " ", "-")
}
