// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"net/http"
	"testing"
	"time"
)

func TestProbeTimeout(t *testing.T) {
	for _, tc := range []struct {
		header        string
		limit, offset time.Duration
		want          time.Duration
	}{
		{"", 10 * time.Second, 500 * time.Millisecond, 10 * time.Second},
		{"10", 10 * time.Second, 500 * time.Millisecond, 9500 * time.Millisecond},
		{"60", 10 * time.Second, 500 * time.Millisecond, 10 * time.Second},
		{"1", 10 * time.Second, 500 * time.Millisecond, 500 * time.Millisecond},
		{"0.4", 10 * time.Second, 500 * time.Millisecond, 200 * time.Millisecond},
		{"1e300", 10 * time.Second, 0, 10 * time.Second},
		{"+Inf", 10 * time.Second, 0, 10 * time.Second},
	} {
		h := http.Header{}
		if tc.header != "" {
			h.Set(timeoutHeader, tc.header)
		}
		if got, err := probeTimeout(h, tc.limit, tc.offset); err != nil || got != tc.want {
			t.Errorf("%s: %v, %v, want %v", tc.header, got, err, tc.want)
		}
	}
}
