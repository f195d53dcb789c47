// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

const timeoutHeader = "X-Prometheus-Scrape-Timeout-Seconds"

// probeTimeout returns how long a probe may take: the timeout that Prometheus sends
// less the offset, and at most the limit. The offset takes at most half of the
// timeout.
func probeTimeout(h http.Header, limit, offset time.Duration) (time.Duration, error) {
	text := h.Get(timeoutHeader)
	if text == "" {
		return limit, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) || seconds <= 0 {
		return 0, fmt.Errorf("header %s is not a positive number", timeoutHeader)
	}
	if seconds >= limit.Seconds()+offset.Seconds() {
		return limit, nil
	}
	granted := time.Duration(seconds * float64(time.Second))
	return min(limit, max(granted-offset, granted/2)), nil
}
