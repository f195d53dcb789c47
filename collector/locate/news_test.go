// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestNews: a plug is logged once in an hour, and a bounded number of plugs, however
// many reply.
func TestNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := newHome(t, discovers)
		h.opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
		count := func(text string) int { return strings.Count(log.String(), text) }
		for i := range 10 {
			for range 20 {
				h.RecordReply(reply(forged(i).MAC, forged(i).Address.String(), foreignOwner))
			}
		}
		if got := count("Plug discovered"); got != 10 {
			t.Errorf("10 plugs are logged %d times", got)
		}
		for range 12 { // an hour
			for i := range 3000 {
				h.RecordReply(forged(i))
			}
			h.readUnread(t)
			h.news.summarize(t.Context(), h.opts.Logger)
			time.Sleep(5 * time.Minute)
		}
		if found, failed, more := count("Plug discovered"), count("cannot be read"), count("more news"); found != maxFound || failed != maxNews-maxFound || more != 1 {
			t.Errorf("in an hour, %d plugs found, %d failures and %d summaries", found, failed, more)
		}
		if len(h.news.seen) > 1000 {
			t.Errorf("%d pieces of news are remembered", len(h.news.seen))
		}
		log.Reset()
		time.Sleep(newsPause)
		h.RecordReply(reply(forged(0).MAC, "10.0.0.1:80", foreignOwner))
		if count("Plug discovered") != 1 {
			t.Error("no news after an hour")
		}
	})
}
