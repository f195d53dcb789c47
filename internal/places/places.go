// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package places is what all who talk to the plug at one address must share,
// under whatever name they know it: a plug keeps one session, may count logins
// that come in between each other as wrong ones, and locks itself after a few of
// these.
package places

import (
	"sync"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// Places are plugs by address. The zero value is ready, and safe for concurrent
// use.
type Places struct {
	mu            sync.Mutex
	conversations map[string]chan struct{}
	guards        map[string]*tapo.Guard
}

// Enter returns what belongs to an address: a channel that holds a token while
// somebody talks to the plug, and the plug's guard, which keeps what it knows in
// the store of the first who entered.
func (p *Places) Enter(address string, store tapo.RejectionStore) (conversation chan struct{}, guard *tapo.Guard) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.guards == nil {
		p.conversations, p.guards = map[string]chan struct{}{}, map[string]*tapo.Guard{}
	}
	if p.conversations[address] == nil {
		p.conversations[address], p.guards[address] = make(chan struct{}, 1), tapo.NewGuard(address, store)
	}
	return p.conversations[address], p.guards[address]
}
