// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package budget

import (
	"math"
	"testing"
)

func TestBudget(t *testing.T) {
	var b Budget
	b.Begin(2)
	b.Spend()
	if b.Left() != 1 || b.Spent() != 1 {
		t.Errorf("after one of two: %d left, %d spent", b.Left(), b.Spent())
	}
	b.Grant(3)
	b.Grant(2) // is part of the three
	if b.Left() != 4 {
		t.Errorf("with three more: %d left", b.Left())
	}
	b.Begin(5)
	if b.Left() != 5 || b.Spent() != 0 {
		t.Errorf("begun again: %d left, %d spent", b.Left(), b.Spent())
	}
	boundless := Unlimited()
	if boundless.Spend(); boundless.Left() < math.MaxInt-1 || boundless.Spent() != 1 {
		t.Errorf("without a bound: %d left, %d spent", boundless.Left(), boundless.Spent())
	}
}
