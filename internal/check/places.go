// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"sync"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// places are the plugs that are being checked, by address. A plug keeps one
// session, and may count logins that come in between each other as wrong ones.
type places struct {
	mu            sync.Mutex
	conversations map[string]chan struct{} // each holds a token while somebody talks to the plug
	guards        map[string]*tapo.Guard
}

// enter returns what all who talk to the plug at an address must share.
func (p *places) enter(address string, store tapo.RejectionStore) (chan struct{}, *tapo.Guard) {
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
