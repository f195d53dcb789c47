// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

const discovers = auths + "discovery: {enabled: true}\n"

// forged is the i-th invented plug, from a host of its own.
func forged(i int) discovery.Device {
	return reply(fmt.Sprintf("66-66-66-%02X-%02X-%02X", i>>16, i>>8&0xff, i&0xff), fmt.Sprintf("10.%d.%d.%d:80", i>>16, i>>8&0xff, i&0xff), "")
}

// TestForgedReplies leave a bounded number of candidates, and no target, whatever they
// have in common.
func TestForgedReplies(t *testing.T) {
	for name, tc := range map[string]struct {
		forge func(i int) discovery.Device
		want  int
	}{
		"many plugs":             {forged, maxUnread},
		"many plugs of one host": {func(i int) discovery.Device { return reply(forged(i).MAC, "10.0.0.66:80", "") }, maxUnreadPerHost},
		"many ports of one host": {func(i int) discovery.Device { return reply(aMAC, fmt.Sprintf("10.0.0.66:%d", 2000+i), "") }, maxUnreadPerHost},
		"one plug at many hosts": {func(i int) discovery.Device { return reply(aMAC, forged(i).Address.String(), "") }, maxUnread},
		"plugs of somebody else": {func(i int) discovery.Device { return reply(forged(i).MAC, forged(i).Address.String(), foreignOwner) }, 0},
		"plugs that are listed":  {func(int) discovery.Device { return reply("AA-BB-CC-00-00-01", "10.0.0.7:80", "") }, 0},
		"plugs in the set-up mode": {func(i int) discovery.Device {
			d := forged(i)
			d.FactoryDefault = true
			return d
		}, 0},
	} {
		h := newHome(t, discovers+"targets: [{name: listed, address: 10.0.0.7}]\n")
		for i := range 5000 {
			h.RecordReply(tc.forge(i))
		}
		if len(h.unread) != tc.want || len(h.plugs) != 0 || len(h.Targets()) != 1 || len(h.news.seen) > 1000 {
			t.Errorf("%s: %d candidates, %d plugs, %d targets, %d pieces of news", name, len(h.unread), len(h.plugs), len(h.Targets()), len(h.news.seen))
		}
	}
	h := newHome(t, auths+"targets: [{name: a, mac: "+aMAC+"}]\n")
	for i := range 100 {
		h.RecordReply(forged(i))
	}
	if len(h.unread)+len(h.plugs) != 0 {
		t.Error("plugs are remembered although discovery is off")
	}
}

// TestProbeOfEvictedPlug does not bring it back: a client of /probe cannot add to what
// is remembered, nor have it searched for.
func TestProbeOfEvictedPlug(t *testing.T) {
	h := newHome(t, discovers)
	h.RecordReply(forged(1))
	target, ok := h.FindTarget(h.store.Current(), forged(1).Name())
	if !ok {
		t.Fatal("not found")
	}
	clear(h.unread)
	for _, err := range []*tapo.Error{unreachable, nil} {
		_ = h.Read(t.Context(), target, func(config.Target) (tapo.Reading, *tapo.Error) { return readingOf("Forged"), err })
		target.Address = ""
		if notFound := h.Read(t.Context(), target, nil); notFound == nil {
			t.Error("found")
		}
		target.Address = forged(1).Address.String()
	}
	if len(h.unread)+len(h.plugs) != 0 || h.search != nil || h.planned != nil {
		t.Errorf("%d candidates, %d plugs, a search: %v", len(h.unread), len(h.plugs), h.search)
	}
}

// TestPassthroughProvesNothing: whoever answers gets the password in clear then.
func TestPassthroughProvesNothing(t *testing.T) {
	h := newHome(t, discovers)
	h.RecordReply(reply(aMAC, "10.0.0.1:80", ""))
	h.readings["10.0.0.1:80"] = &tapo.Reading{Protocol: tapo.Passthrough}
	if h.readUnread(t); len(h.Targets()) != 0 {
		t.Error("a target")
	}
}

// TestUnreadAreReadOnce, again after a while, and not more often than a bound.
func TestUnreadAreReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t, discovers)
		h.RecordReply(forged(0))
		if n := h.readUnread(t); n != 1 {
			t.Errorf("%d reads", n)
		}
		h.RecordReply(forged(0))
		if n := h.readUnread(t); n != 0 {
			t.Errorf("%d reads at once again", n)
		}
		time.Sleep(retryUnread)
		if n := h.readUnread(t); n != 1 {
			t.Errorf("%d reads after a while", n)
		}
		reads := 0
		for i := range 1000 {
			h.RecordReply(forged(i))
			reads += h.readUnread(t)
		}
		if reads >= maxUnread {
			t.Errorf("%d reads fail", reads)
		}
	})
}

// TestPlugAmongForgedReplies: a plug is read in the end although many invented ones
// reply to each search, before it or after it, at its own MAC address as well.
func TestPlugAmongForgedReplies(t *testing.T) {
	for name, first := range map[string]bool{"first": true, "last": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome(t, discovers)
				reading := readingOf("Lamp")
				h.readings["10.255.0.1:80"] = &reading
				round := 0
				h.searchNetwork = func(_ discovery.Search, _ context.Context, found func(discovery.Device)) error {
					if first {
						found(reply(aMAC, "10.255.0.1:80", ""))
					}
					for i := range 500 {
						found(forged(500*round + i))
					}
					found(reply(aMAC, forged(round).Address.String(), ""))
					if !first {
						found(reply(aMAC, "10.255.0.1:80", ""))
					}
					round++
					return nil
				}
				for h.Address(aMAC) == "" && round < 200 { // the plug has one chance in eight in each
					<-h.askForSearch(t.Context()).done
					h.readUnread(t)
					time.Sleep(config.DefaultInterval)
				}
				if got := h.addresses(t); len(got) != 1 || got["Lamp"] != "10.255.0.1:80" {
					t.Errorf("after %d searches: %v", round, got)
				}
			})
		})
	}
}

// TestOneReadPerMAC at a time: two candidates of one plug are read one after the other.
func TestOneReadPerMAC(t *testing.T) {
	h := newHome(t, discovers)
	h.RecordReply(reply(aMAC, "10.0.0.66:80", ""))
	h.RecordReply(reply(aMAC, "10.0.0.1:80", ""))
	target, ok := h.NextUnread(t.Context())
	if _, more := h.NextUnread(t.Context()); !ok || more {
		t.Errorf("%v, and another one: %t", target, more)
	}
	h.recordRead(t.Context(), target, tapo.Reading{}, unreachable)
	if next, ok := h.NextUnread(t.Context()); !ok || next.MAC != aMAC || next.Address == target.Address {
		t.Errorf("then %v", next)
	}
}

// TestListedDuringFirstRead: a plug that is listed for a while, beginning during its first
// read, is read again after that.
func TestListedDuringFirstRead(t *testing.T) {
	h := newHome(t, discovers)
	h.RecordReply(reply(aMAC, "10.0.0.1:80", ""))
	target, _ := h.NextUnread(t.Context())
	h.reload(t, discovers+"targets: [{name: a, mac: "+aMAC+"}]\n")
	h.recordRead(t.Context(), target, tapo.Reading{}, unreachable)
	h.reload(t, discovers)
	h.forget(h.store.Current())
	h.RecordReply(reply(aMAC, "10.0.0.1:80", ""))
	if next, ok := h.NextUnread(t.Context()); !ok || next.MAC != aMAC {
		t.Errorf("%v, %t", next, ok)
	}
}

// TestLargeHome: all plugs of a home become targets soon after the start, although they
// do not have room at a time.
func TestLargeHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const plugs = 400
		h := newHome(t, discovers)
		h.opts.SearchTime, h.opts.SearchPause = 3*time.Second, 10*time.Second
		for i := range plugs {
			reading := readingOf(fmt.Sprint("Plug ", i))
			h.readings[forged(i).Address.String()] = &reading
		}
		h.searchNetwork = func(s discovery.Search, _ context.Context, found func(discovery.Device)) error {
			for i := range plugs {
				found(forged(i))
			}
			time.Sleep(s.Timeout)
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var group sync.WaitGroup
		defer group.Wait()
		group.Go(func() { h.Run(ctx) })
		start := time.Now()
		for time.Since(start) < 2*time.Minute && len(h.Targets()) < plugs {
			<-h.SearchEnded()
			h.readUnread(t)
		}
		if got, took := len(h.Targets()), time.Since(start); got != plugs || took > 2*time.Minute {
			t.Errorf("%d targets after %v", got, took)
		}
		cancel()
	})
}
