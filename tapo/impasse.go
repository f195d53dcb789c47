// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
)

// impasseLife is how long one question stands for all that a plug without a usable
// transport is asked.
const impasseLife = time.Minute

// impasse is the failure of a walk that found no usable transport. It stands as long as
// the plug repeats the reply that led there, for a minute at most.
type impasse struct {
	failure  error
	question *openTransport
	reply    heard
	until    time.Time
}

// heard is what a plug has replied to the question for a transport, to be compared. The
// zero value is a reply that never comes twice, such as a challenge.
type heard struct {
	status int
	body   [sha256.Size]byte
	text   string // of what was announced
	noPlug bool   // no plug replies so
}

// hear returns what the plug has replied.
func hear(offer transport.Offer, err error) heard {
	if decline, ok := errors.AsType[*transport.NotSpoken](err); ok {
		return heard{status: decline.Reply.Status, body: sha256.Sum256(decline.Reply.Body)}
	}
	if host, ok := errors.AsType[*transport.NotAPlug](err); ok {
		return heard{status: host.Reply.Status, body: sha256.Sum256(host.Reply.Body), noPlug: true}
	}
	if unsupported, ok := errors.AsType[*transport.Unsupported](err); ok {
		return heard{text: unsupported.What}
	}
	if err == nil && offer.Reusable() {
		return heard{text: fmt.Sprint(offer)}
	}
	return heard{}
}

// enterImpasse remembers a failure that only another reply of the plug can mend.
func (l *login) enterImpasse(err error) {
	l.impasse = nil
	f, ok := errors.AsType[*failure](err)
	if !ok || f.again || f.rejected != nil {
		return
	}
	switch f.reason {
	case LocalAccessRefused, PassthroughNotAllowed, Unsupported, NotAPlug:
	default:
		return
	}
	if t := l.decisive(f.protocol); t != nil {
		l.impasse = &impasse{f, t, l.heard[t.Protocol()], l.cfg.Now().Add(impasseLife)}
	}
}

// decisive returns the transport to whose question another reply would mend a failure
// that is about a protocol: one to whose question no plug replies so, or that protocol's,
// or else KLAP, which firmware and the switch for Third-Party Compatibility turn on and
// off. It is nil if the plug was asked for none of these, or has replied with what does
// not come twice.
func (l *login) decisive(p Protocol) *openTransport {
	var decisive *openTransport
	for _, t := range l.transports {
		switch was, asked := l.heard[t.Protocol()]; {
		case !asked:
		case was == (heard{}):
			return nil
		case was.noPlug, t.Protocol() == p:
			return t
		case decisive == nil, t.Protocol() == KLAP:
			decisive = t
		}
	}
	return decisive
}

// stillAtImpasse asks the one question, and returns the failure if the reply is the
// same. Nil means that the plug has to be asked everything.
func (l *login) stillAtImpasse(ctx context.Context) error {
	i := l.impasse
	if i == nil || !l.cfg.Now().Before(i.until) {
		return nil
	}
	offer, err := l.recognise(ctx, i.question)
	switch said := hear(offer, err); {
	case said == i.reply:
		return l.recordFailure(i.failure)
	case err != nil && said == (heard{}) && !isType[*transport.Rejected](err): // no reply, or a damaged one
		return l.explain(i.question, err)
	}
	return nil
}
