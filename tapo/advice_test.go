// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

func TestEveryReasonHasAdvice(t *testing.T) {
	all := tapo.Reasons()
	if len(all) != 12 {
		t.Errorf("%d reasons: %v", len(all), all)
	}
	for _, r := range all {
		if len(r.Advice()) < 40 {
			t.Errorf("%s: %q", r, r.Advice())
		}
	}
}
