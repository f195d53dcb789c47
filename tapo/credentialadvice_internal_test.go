// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"errors"
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
)

// TestAdviceBeforeTheProof: a plug that rejects a login before the password has taken
// part shows nothing of how the password is encoded.
func TestAdviceBeforeTheProof(t *testing.T) {
	for before, want := range map[bool]bool{true: false, false: true} {
		r := &transport.Rejected{Err: errors.New("rejected"), Counts: true, BeforeProof: before}
		if _, advice := adviseRejected(r, Credentials{Password: "pässe"}); strings.Contains(advice, "beyond ASCII") != want {
			t.Errorf("before the proof %t: %q", before, advice)
		}
	}
}
