// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/klap"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/tpap"
)

// transportRow is a transport that logins choose from.
type transportRow struct {
	protocol Protocol
	// open makes the transport of one plug.
	open func() transport.Transport
	// provesItself is true where a plug proves that it knows the account before it
	// learns anything of it. A plug that has been seen to speak such a transport is
	// never talked down to another, which needs the configuration's permission.
	provesItself bool
	// counts is true where the plug counts wrong logins, and locks itself.
	counts bool
	// inStep is true where both sides count their messages, so that a session is of
	// no use after a request without an answer.
	inStep bool
}

// transports are all there are, in the order in which a plug is asked for them.
var transports = []transportRow{
	{protocol: TPAP, open: func() transport.Transport { return new(tpap.Transport) }, provesItself: true, counts: true, inStep: true},
	{protocol: KLAP, open: func() transport.Transport { return klap.NewTransport(klap.V2) }, provesItself: true},
	{protocol: Passthrough, open: func() transport.Transport { return new(passthrough.Transport) }},
}

// Protocols lists all protocols, the strongest first.
func Protocols() []Protocol {
	all := make([]Protocol, len(transports))
	for i, row := range transports {
		all[i] = row.protocol
	}
	return all
}

// rowOf returns the row of a protocol; ok is false where there is none.
func rowOf(p Protocol) (row transportRow, ok bool) {
	for _, row := range transports {
		if row.protocol == p {
			return row, true
		}
	}
	return transportRow{}, false
}

// openTransport is a transport at work on one plug.
type openTransport struct {
	transportRow
	transport.Transport
}

func openTransports() []*openTransport {
	all := make([]*openTransport, len(transports))
	for i, row := range transports {
		all[i] = &openTransport{row, row.open()}
	}
	return all
}
