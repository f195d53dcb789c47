// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"context"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

var unreachable = &tapo.Error{Reason: tapo.Unreachable}

func readingOf(name string) tapo.Reading {
	return tapo.Reading{Protocol: tapo.KLAP, Info: tapo.Info{Name: name}}
}

// TestLocateWaitsForTheSearch that is looking for a plug which was not at its last
// address.
func TestLocateWaitsForTheSearch(t *testing.T) {
	h := newHome(t, auths+"targets: [{name: a, mac: "+aMAC+"}]\n")
	h.RecordReply(reply(aMAC, "10.0.0.1:80", ""))
	h.plugs[aMAC].candidates["10.0.0.1:80"].failedAt = time.Now()
	h.search = newSearch()
	h.search.begins = time.Now()
	go func() {
		time.Sleep(50 * time.Millisecond)
		h.RecordReply(reply(aMAC, "10.0.0.2:80", ""))
	}()
	if got, err := h.locate(t.Context(), config.Target{MAC: aMAC}); err != nil || got.Address != "10.0.0.2:80" {
		t.Errorf("at %s, %v", got.Address, err)
	}
}

// TestNotFound lasts until a reply.
func TestNotFound(t *testing.T) {
	t.Parallel()
	h := newSearchableHome(101)
	h.start(t, auths+"targets: [{name: a, mac: "+aMAC+"}]\n"+h.discoveryYAML("interval: 1h", 1))
	target, _ := h.store.Current().Target("a")
	if err := h.NotFound(target); err != nil {
		t.Errorf("before a probe: %v", err)
	}
	if _, err := h.read(t, "a"); err == nil || err.Reason != tapo.Unreachable {
		t.Errorf("read: %v", err)
	}
	if h.NotFound(target) == nil {
		t.Error("found after a probe in vain")
	}
	h.RecordReply(reply(aMAC, "10.0.0.1:80", ""))
	if err := h.NotFound(target); err != nil {
		t.Errorf("after a reply: %v", err)
	}
}

// TestReadAtAnAddress: a target that is asked for by its address is read there,
// and not searched for.
func TestReadAtAnAddress(t *testing.T) {
	h := newHome(t, auths+"targets: [{name: a, mac: "+aMAC+"}]\n")
	h.RecordReply(reply(aMAC, "10.0.0.1:80", ""))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, target := range []config.Target{{Address: "10.0.0.1:80"}, {Address: "10.0.0.1:80", MAC: aMAC}} {
		reads := 0
		err := h.Read(ctx, target, func(located config.Target) (tapo.Reading, *tapo.Error) {
			reads++
			if located.Address != "10.0.0.1:80" {
				t.Errorf("read at %s", located.Address)
			}
			return tapo.Reading{}, unreachable
		})
		if err != nil || reads != 1 || h.search != nil {
			t.Errorf("%d reads, %v", reads, err)
		}
	}
}
