// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package plugs

import (
	"context"
	"testing"
)

// storedRejection is a store that has a refused login for one address.
type storedRejection string

func (s storedRejection) Load(address string) []byte {
	if address != string(s) {
		return nil
	}
	return []byte(`{"cause":{"reason":"bad_credentials","text":"rejected","advice":"Correct them."}}`)
}

func (storedRejection) Save(string, []byte) {}

func (storedRejection) Sync(context.Context) error { return nil }

func TestLocks(t *testing.T) {
	const plug, other, rejecting = "192.168.1.20:80", "192.168.1.21:80", "192.168.1.22:80"
	locks := Locks{Rejections: storedRejection(rejecting)}
	lock := locks.At(plug)
	if locks.At(plug) != lock || locks.At(other) == lock || locks.At(rejecting).Guard.Idle() {
		t.Error("locks do not go by address")
	}
	if err := lock.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if lock.Acquire(ended) == nil {
		t.Error("acquired twice")
	}
	if err := locks.At(other).Acquire(t.Context()); err != nil {
		t.Error(err)
	}
	lock.Release()
	if err := lock.Acquire(t.Context()); err != nil {
		t.Error(err)
	}
	locks.Forget(map[string]bool{plug: true})
	if locks.Len() != 2 || locks.At(plug) != lock {
		t.Errorf("%d locks, want those in use and of plugs that have refused a login", locks.Len())
	}
}
