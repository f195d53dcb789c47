// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import "time"

// batchHealth finds out whether a plug hangs on batches, as P300 with firmware 1.0.7 does
// (python-kasa/python-kasa#1759). After two conversations in a row that ended with an
// unanswered batch, single requests are tried. The zero value is that of a plug that does
// not hang.
type batchHealth struct {
	unanswered  bool      // the last request of this conversation was an unanswered batch
	inARow      int       // conversations in a row that ended with one
	trySingle   bool      // single requests are being tried
	cured       int       // how often single requests were answered then
	singleUntil time.Time // no batch before this time
}

// allow reports whether a batch may be sent.
func (h *batchHealth) allow(now time.Time) bool { return !h.trySingle && !now.Before(h.singleUntil) }

// failed records a failed request. unanswered is true if it was a batch without a reply.
func (h *batchHealth) failed(unanswered bool) { h.unanswered = unanswered }

// batchAnswered records that the plug has answered a batch.
func (h *batchHealth) batchAnswered() { h.inARow = 0 }

// singleAnswered records that the plug has answered a single request. If single requests
// are being tried, the next batch is in ten minutes the first time, and in a day after
// that.
func (h *batchHealth) singleAnswered(now time.Time) {
	if !h.trySingle {
		return
	}
	life := unavailableLife
	if h.cured > 0 {
		life = refusalLife
	}
	h.trySingle, h.inARow, h.singleUntil = false, 1, now.Add(life)
	h.cured++
}

// conversationEnded records the result of a conversation.
func (h *batchHealth) conversationEnded(err error) {
	switch {
	case err == nil:
	case h.unanswered:
		h.inARow++
	default:
		h.inARow = 0
	}
	h.unanswered, h.trySingle = false, h.inARow >= 2
}
