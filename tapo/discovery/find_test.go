// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package discovery_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

// TestFind: the first reply of the device that is wanted ends the search.
func TestFind(t *testing.T) {
	errNetwork := errors.New("no network")
	run := func(ctx context.Context, found func(discovery.Device)) error {
		for i, mac := range []string{"AA-BB-CC-00-11-21", "AA-BB-CC-00-11-22", "AA-BB-CC-00-11-22"} {
			found(discovery.Device{MAC: mac, Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 80)})
			if i > 0 && ctx.Err() == nil {
				t.Errorf("after %d replies: %v", i+1, ctx.Err())
			}
		}
		return errNetwork
	}
	if at, err := discovery.Find(t.Context(), "AA-BB-CC-00-11-22", run); at != "192.0.2.1:80" || !errors.Is(err, errNetwork) {
		t.Errorf("%q, %v", at, err)
	}
	ended := func(context.Context, func(discovery.Device)) error { return nil }
	if at, err := discovery.Find(t.Context(), "AA-BB-CC-00-11-22", ended); at != "" || err != nil {
		t.Errorf("%q, %v", at, err)
	}
}
