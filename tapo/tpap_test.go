// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestRejectedAdvice: what is wrong on such a plug cannot be the e-mail.
func TestRejectedAdvice(t *testing.T) {
	for name, tc := range map[string]struct {
		options    simulator.TPAPOptions
		want, lack string
	}{
		"as in the field": {simulator.TPAPOptions{}, "The e-mail plays no part", "very spelling"},
		"with the e-mail": {simulator.TPAPOptions{ExtraCrypt: "null"}, "very spelling", "plays no part"},
		"only the e-mail": {
			simulator.TPAPOptions{ExtraCrypt: `{"type":"password_shadow","params":{"passwd_id":3}}`}, "another account", "plays no part",
		},
	} {
		p := plugtest.Start(t, &simulator.Plug{Model: simulator.P110TPAP, TPAP: tc.options})
		p.SetCredentials("somebody@example.com", "other")
		e := plugtest.Failure(t, plugtest.Device(t, p), tapo.BadCredentials)
		if e.Protocol != tapo.TPAP || !strings.Contains(e.Advice, tc.want) || strings.Contains(e.Advice, tc.lack) {
			t.Errorf("%s: %s", name, e.Advice)
		}
		if !strings.Contains(e.Advice, "locks itself: 14.") || !strings.Contains(e.Error(), "-2203") {
			t.Errorf("%s: %v, %s", name, e, e.Advice)
		}
	}
}
