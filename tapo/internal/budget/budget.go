// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package budget bounds what one conversation with a plug may cost, whatever
// goes wrong in it: a plug is small, and has others to serve.
package budget

import (
	"errors"
	"math"
)

// ErrSpent says that a request was not sent, since the conversation has had as
// many as it may.
var ErrSpent = errors.New("too many requests already for one read")

// Budget is how many requests a conversation may send. The zero value allows
// none. It is not safe for concurrent use.
type Budget struct {
	allowed int // at the beginning
	granted int // beyond that
	spent   int
}

// Unlimited returns a budget without a bound.
func Unlimited() *Budget { return &Budget{allowed: math.MaxInt} }

// Begin starts a conversation that may send so many requests.
func (b *Budget) Begin(requests int) { *b = Budget{allowed: requests} }

// Grant allows the conversation so many requests more than it began with. What
// has been granted before is part of it.
func (b *Budget) Grant(extra int) { b.granted = max(b.granted, extra) }

// Left returns how many requests may still be sent.
func (b *Budget) Left() int {
	return b.allowed + b.granted - b.spent
}

// Spent returns how many requests the conversation has sent.
func (b *Budget) Spent() int { return b.spent }

// Spend takes a request off the budget.
func (b *Budget) Spend() { b.spent++ }
