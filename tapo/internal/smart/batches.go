// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import "time"

// batchHealth is whether a plug hangs on batches, as some do: after two
// conversations in a row that ended with a batch without an answer, of which the
// second was given all the time there is, single requests are tried. The zero
// value is that of a plug that does not hang.
type batchHealth struct {
	unanswered  bool      // a batch of this conversation got no answer
	inARow      int       // conversations that ended so
	trySingle   bool      // so many that single requests are tried
	cured       int       // how often that helped
	singleUntil time.Time // no batch before that
}

// allow reports whether a batch may be sent.
func (h *batchHealth) allow(now time.Time) bool { return !h.trySingle && !now.Before(h.singleUntil) }

// failed records a request without a result, unanswered if it was a batch to which
// there was no answer.
func (h *batchHealth) failed(unanswered bool) { h.unanswered = unanswered }

// batchAnswered records that the plug takes batches.
func (h *batchHealth) batchAnswered() { h.inARow = 0 }

// singleAnswered records that a single request was answered. If that was being
// tried, it is a while until the next batch, and a day if that hangs as well.
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

// conversationEnded records how a conversation went.
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
