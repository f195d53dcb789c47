// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// syncTime is how long a login waits for the store. A disk that is stuck must not keep
// plugs from being read.
const syncTime = time.Second

// Store keeps the state of guards beyond the life of the process, so that a restart costs
// no attempt. Its methods may be called concurrently. Load and Save do not wait for a disk.
type Store interface {
	// Load returns the state saved for an address, nil if there is none. The state is in
	// use then, and must not be forgotten soon.
	Load(address string) []byte
	// Save replaces the state; nil removes it.
	Save(address string, state []byte)
	// Sync waits until what was saved before outlives the process, and what other processes
	// have saved can be loaded.
	Sync(ctx context.Context) error
}

// proof is one that a login has sent, or is about to send.
type proof struct {
	way      string // how the host wants the login
	recorded bool   // the outcome is known, and stored
}

// Refresh takes over what other processes have stored about the address, if the store says
// so within a second. A store that has nothing, by accident or not, is no reason to forget
// what this process knows. g must have been acquired.
func (g *Guard) Refresh(ctx context.Context, now time.Time) {
	if g.store == nil {
		return
	}
	g.sync(ctx)
	if stored := g.store.Load(g.address); stored != nil && !sameJSON(stored, g.saved) {
		g.saved, g.state = stored, load(stored, now)
	}
}

// sync waits a second for the store at most. It has reported what is wrong with it.
func (g *Guard) sync(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, syncTime)
	defer cancel()
	_ = g.store.Sync(ctx)
}

// sameJSON reports whether two stored states are the same but for blanks.
func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return bytes.Equal(a, b) || json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// Prove records that the proof of a login with c is about to be sent, to a plug that reports
// a MAC address and wants the login in some way. The process may end before the outcome is
// known, so it is stored as unclear until Record or Succeeded. If neither is called before
// Release, the proof was not sent. g must have been acquired.
func (g *Guard) Prove(ctx context.Context, mac, way string, c plug.Credentials, now time.Time) {
	g.proof = &proof{way: way}
	if g.store == nil {
		return
	}
	actual := g.state
	g.state = load(encode(actual), now) // a copy
	g.recordUnclear(mac, c, interrupted, now)
	g.save()
	g.state, g.proof.recorded = actual, false
	g.sync(ctx)
}

// interrupted is the reason of a login that ended with the process.
var interrupted = Cause{
	Reason: "timeout", Text: "the exporter was stopped before the plug had answered the login",
	Advice: "If the exporter keeps being stopped or killed, find out why.",
}

// save stores the state if the store has another one.
func (g *Guard) save() {
	if g.proof != nil {
		g.proof.recorded = true
	}
	if g.store == nil {
		return
	}
	if state := encode(g.state); !bytes.Equal(state, g.saved) {
		g.saved = state
		g.store.Save(g.address, state)
	}
}
