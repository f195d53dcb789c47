// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"slices"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
)

// unitBatches is how a unit, the plug or a child, answers batches. The zero value is that
// of a unit that has had none.
type unitBatches struct {
	never  bool      // the unit does not have batches
	until  time.Time // no batch before this time
	faults int       // failed batches in a row, without those that one method has spoilt
	taken  bool      // a batch has been answered
}

func (b *unitBatches) answered() { b.taken, b.faults = true, 0 }

// refused records a batch that the unit has refused with an error code, 0 if it has sent
// neither that nor the list of replies, which may be an old reply that a network repeats. A
// unit that has answered a batch before has batches, whatever the code.
func (b *unitBatches) refused(code int, now time.Time) {
	if !b.taken && slices.Contains(noBatchCodes, code) {
		b.never = true
		return
	}
	b.failed(now, now.Add(unavailableLife))
}

// tooLarge records a batch that the unit has answered with its web page, as some firmware
// does with large requests (python-kasa/python-kasa#1580). It may have been an accident.
func (b *unitBatches) tooLarge(now time.Time) { b.failed(now, now.Add(time.Minute)) }

// garbled records a batch whose reply was of no use, although each method has answered
// alone. The next read tries another.
func (b *unitBatches) garbled(now time.Time) { b.failed(now, now) }

// failed forbids batches until a time. After the second one in a row that has failed there
// is none for ten minutes, and after the third none for a day.
func (b *unitBatches) failed(now, until time.Time) {
	switch b.faults++; b.faults {
	case 1:
		b.until = until
	case 2:
		b.until = now.Add(unavailableLife)
	default:
		b.until = now.Add(refusalLife)
	}
}

// noBatchCodes are the error codes of a unit that does not have batches, as P100 does not
// (python-kasa/python-kasa#819).
var noBatchCodes = []int{plugerr.CodeJSONDecode, plugerr.CodeUnknownMethod, plugerr.CodeParams, plugerr.CodeMultiRequestFailed}

// takesBatch reports whether a unit may be asked for several methods at once. A child that
// has had no batch yet is treated like the other children.
func (p *profile) takesBatch(u *unit, now time.Time) bool {
	rests := func(u *unit) bool { return u.batches.never || now.Before(u.batches.until) }
	if rests(u) {
		return false
	}
	if !u.isChild() || u.batches.taken {
		return true
	}
	refused := 0
	for _, c := range p.children {
		if c.batches.taken {
			return true
		}
		if rests(c) {
			refused++
		}
	}
	return refused < 2 // one refusal may be an exception
}

// batchHealth finds out whether a plug hangs on batches, as P300 with firmware 1.0.7 does
// (python-kasa/python-kasa#1759). After two conversations in a row that ended with an
// unanswered batch, single requests are tried. The zero value is that of a plug that does
// not hang.
type batchHealth struct {
	unanswered  bool      // the last request of this conversation was an unanswered batch
	inARow      int       // conversations in a row that ended with one
	trySingle   bool      // single requests are being tried
	cured       int       // how often single requests were answered then, since batches last were fine
	answered    int       // batches in a row that were answered
	singleUntil time.Time // no batch before this time
}

// allow reports whether a batch may be sent.
func (h *batchHealth) allow(now time.Time) bool { return !h.trySingle && !now.Before(h.singleUntil) }

// failed records a failed request. unanswered is true if it was a batch without a reply.
func (h *batchHealth) failed(unanswered bool) {
	h.unanswered = unanswered
	if unanswered {
		h.answered = 0
	}
}

// batchAnswered records that the plug has answered a batch. One says little: P300 answers
// the first of a session.
func (h *batchHealth) batchAnswered() {
	h.inARow = 0
	if h.answered++; h.answered > 2 {
		h.cured = 0 // it was the network
	}
}

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
