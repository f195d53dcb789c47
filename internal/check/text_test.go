// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestFormats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t, &simulator.Plug{})
		h.target.Credentials.Password = "wrong"
		r := h.Target(t.Context(), h.target)
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back Report
		if err := json.Unmarshal(data, &back); err != nil || !cmp.Equal(r, back) {
			t.Errorf("%s: %v", data, err)
		}
		if len(r.Steps) != 8 || r.Steps[4].Name != "login" || r.Steps[4].Status != Failed || r.Steps[5].Status != Skipped || r.Reason != tapo.BadCredentials || r.OK {
			t.Errorf("%s", data)
		}
		var colours bytes.Buffer
		if err := r.Write(&colours, true); err != nil || !strings.Contains(colours.String(), green+"✓"+plain) || !strings.Contains(colours.String(), red+"✗"+plain) {
			t.Errorf("%q, %v", colours.String(), err)
		}
	})
	for _, line := range wrap(strings.Repeat("word ", 100), 30) {
		if len(line) > 30 {
			t.Errorf("%q", line)
		}
	}
}
