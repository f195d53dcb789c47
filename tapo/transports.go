// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/klap"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/tpap"
)

// transportRow is a transport that logins choose from, and what a login has to know
// of it.
type transportRow struct {
	// open makes the transport of one plug.
	open func() transport.Transport
	// provesItself is true if a plug proves that it has the account before it learns
	// anything of it. A plug that has used such a transport is never downgraded to
	// one that lacks this, and that needs allow_passthrough.
	provesItself bool
	// counts is true if the plug counts wrong logins, and locks itself.
	counts bool
	// inStep is true if both sides count their messages. Such a session is of no use
	// after a request without an answer.
	inStep bool
	// emailMatters is true if the account's e-mail takes part in every login.
	emailMatters bool
	// showsMistake is true if the plug's answer shows which credentials it has.
	showsMistake bool
}

// transports are all there are, in the order in which a plug is asked for them.
var transports = []transportRow{
	{open: func() transport.Transport { return new(tpap.Transport) }, provesItself: true, counts: true, inStep: true},
	{open: func() transport.Transport { return klap.NewTransport(klap.V2) }, provesItself: true, emailMatters: true, showsMistake: true},
	{open: func() transport.Transport { return new(passthrough.Transport) }, emailMatters: true},
}

// Protocols lists all protocols, the strongest first.
func Protocols() []Protocol {
	all := make([]Protocol, len(transports))
	for i, t := range openTransports() {
		all[i] = t.Protocol()
	}
	return all
}

// rowOf returns the row of a protocol; ok is false if there is none.
func rowOf(p Protocol) (row transportRow, ok bool) {
	for _, t := range openTransports() {
		if t.Protocol() == p {
			return t.transportRow, true
		}
	}
	return transportRow{}, false
}

// countingProtocol returns the protocol whose logins plugs count.
func countingProtocol() Protocol {
	for _, t := range openTransports() {
		if t.counts {
			return t.Protocol()
		}
	}
	return ""
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
