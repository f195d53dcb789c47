// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"sync"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// places are the plugs that are being checked. A plug keeps one session, and may
// count logins that come in between each other as wrong ones.
type places struct {
	mu            sync.Mutex
	conversations map[string]chan struct{} // by address; each holds a token while somebody talks to the plug
	guards        map[string]*tapo.Guard   // by MAC, or else by address
}

// enter returns what all who talk to a plug must share.
func (p *places) enter(address, place string, store tapo.RejectionStore) (chan struct{}, *tapo.Guard) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.guards == nil {
		p.conversations, p.guards = map[string]chan struct{}{}, map[string]*tapo.Guard{}
	}
	if p.conversations[address] == nil {
		p.conversations[address] = make(chan struct{}, 1)
	}
	if p.guards[place] == nil {
		p.guards[place] = tapo.NewGuard(place, store)
	}
	return p.conversations[address], p.guards[place]
}
