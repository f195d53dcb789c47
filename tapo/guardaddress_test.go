// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// The tests below have several plugs at one address, one after the other.

// address is where one of several plugs answers.
type address struct {
	testing.TB
	plugs []*simulator.Plug
	now   *simulator.Plug // the one that answers
	store tapo.RejectionStore
}

// newAddress starts TPAP plugs with other MAC addresses, the first of which answers. They are
// on loopback, or in simulated time.
func newAddress(t testing.TB, simulated bool, passwords ...string) *address {
	t.Helper()
	a := &address{TB: t, store: memoryStore{}}
	for i, password := range passwords {
		p := tpapPlug()
		p.Name, p.Username, p.Password = fmt.Sprint("plug ", i), plugtest.Username, password
		if simulated {
			p.Network, p.Listen = new(simulator.Network), "192.0.2.1:80"
		}
		a.plugs = append(a.plugs, plugtest.Start(t, p))
	}
	a.now = a.plugs[0]
	return a
}

// start returns a device at the address, as after a restart.
func (a *address) start(c tapo.Credentials) *tapo.Device {
	a.Helper()
	d, err := tapo.New(tapo.Config{
		Address: "192.0.2.1", Credentials: c, Guard: tapo.NewGuard("192.0.2.1:80", a.store),
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if a.now.Network != nil {
				return a.now.Network.DialContext(ctx, network, address)
			}
			return new(net.Dialer).DialContext(ctx, network, a.now.Addr().String())
		},
	})
	if err != nil {
		a.Fatal(err)
	}
	a.Cleanup(d.Close)
	return d
}

// switchTo lets another plug answer.
func (a *address) switchTo(p *simulator.Plug) {
	a.now.CloseConnections()
	a.now.LoseSession()
	a.now = p
}

// failures are the logins that each plug has refused.
func (a *address) failures() (all []int) {
	for _, p := range a.plugs {
		all = append(all, p.Stats().LoginFailures)
	}
	return all
}

// TestAnotherPlugGetsItsTry: what one plug has refused keeps no other at the same address
// from being read, over restarts as well.
func TestAnotherPlugGetsItsTry(t *testing.T) {
	a := newAddress(t, false, "other", plugtest.Password, "other")
	d := a.start(plugtest.Credentials)
	plugtest.Fails(t, d, tapo.BadCredentials)
	for range 3 {
		if got := plugtest.Requests(a.now, func() { plugtest.Fails(t, d, tapo.LoginBackoff) }); got != 1 {
			t.Errorf("%d requests to a plug that has refused the credentials", got)
		}
	}
	for range 2 { // the second time after a restart
		a.switchTo(a.plugs[1])
		if got := plugtest.Requests(a.now, func() { plugtest.Read(t, d) }); got != 4 {
			t.Errorf("%d requests of the first read of another plug", got)
		}
		a.switchTo(a.plugs[0])
		plugtest.Fails(t, d, tapo.LoginBackoff)
		d = a.start(plugtest.Credentials)
		plugtest.Fails(t, d, tapo.LoginBackoff)
	}
	a.switchTo(a.plugs[2])
	plugtest.Fails(t, d, tapo.BadCredentials)
	plugtest.Fails(t, d, tapo.LoginBackoff)
	if got := fmt.Sprint(a.failures()); got != "[1 0 1]" {
		t.Errorf("refused logins %s", got)
	}
}

// TestOfferOfAnotherPlug: a plug that has refused the password comes to the address of one
// that is being read. It does not get the password again for the other's sake.
func TestOfferOfAnotherPlug(t *testing.T) {
	a := newAddress(t, false, "other", plugtest.Password)
	d := a.start(plugtest.Credentials)
	plugtest.Fails(t, d, tapo.BadCredentials)
	for range 5 {
		a.switchTo(a.plugs[1])
		plugtest.Read(t, d)
		a.switchTo(a.plugs[0])
		plugtest.Fails(t, d, tapo.LoginBackoff)
	}
	if got := fmt.Sprint(a.failures()); got != "[1 0]" {
		t.Errorf("refused logins %s", got)
	}
}

// TestThreePlugsADay: a fourth one gets no login before a day has passed since the first, over
// restarts as well, and says when.
func TestThreePlugsADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAddress(t, true, "a", "b", "c", plugtest.Password)
		began := time.Now()
		d := a.start(plugtest.Credentials)
		for _, p := range a.plugs[:3] {
			a.switchTo(p)
			plugtest.Fails(t, d, tapo.BadCredentials)
			time.Sleep(time.Hour)
		}
		a.switchTo(a.plugs[3])
		next := began.Add(24 * time.Hour)
		for time.Now().Before(next) {
			e := plugtest.Failure(t, d, tapo.LoginBackoff)
			if at := next.Format(time.RFC3339); !strings.Contains(e.Error(), "3 plugs") || !strings.Contains(e.Error(), at) || !strings.Contains(e.Advice, at) {
				t.Fatalf("%v, %s", e, e.Advice)
			}
			d = a.start(plugtest.Credentials)
			time.Sleep(30 * time.Minute)
		}
		plugtest.Read(t, d)
		a.switchTo(a.plugs[0])
		plugtest.Fails(t, d, tapo.LoginBackoff)
		if got := fmt.Sprint(a.failures()); got != "[1 1 1 0]" {
			t.Errorf("refused logins %s", got)
		}
	})
}

// TestEarlierFile: what a version has stored that knew no MAC addresses holds for every plug
// at the address.
func TestEarlierFile(t *testing.T) {
	a := newAddress(t, false, "other", plugtest.Password)
	const cause = `{"reason":"bad_credentials","text":"refused","advice":"Correct it."}`
	store := memoryStore{"192.0.2.1:80": []byte(`{"attempts_left":5,"cause":` + cause + `,"refused":[]}`)}
	a.store = store
	for i := range 2 {
		a.switchTo(a.plugs[i])
		plugtest.Fails(t, a.start(plugtest.Credentials), tapo.LoginBackoff)
	}
	if got := fmt.Sprint(a.failures()); got != "[0 0]" {
		t.Errorf("refused logins %s: %s", got, store)
	}
}

// TestPlugsInAnyOrder: whichever plug answers when, and whatever is restarted, none gets a
// password twice.
func TestPlugsInAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 2))
			a := newAddress(t, true, "a", plugtest.Password, "b", "c", "d")
			account := func() tapo.Credentials { return []tapo.Credentials{plugtest.Credentials, wrong}[random.IntN(2)] }
			d := a.start(account())
			for range 100 {
				switch random.IntN(8) {
				case 0, 1:
					a.switchTo(a.plugs[random.IntN(len(a.plugs))])
				case 2: // which takes time, since stored credentials are slow to compare
					d.Close()
					d = a.start(account())
				case 3, 4:
					time.Sleep(time.Duration(random.IntN(600)) * time.Minute)
				}
				_, _ = d.Read(t.Context())
			}
			for i, n := range a.failures() {
				if n > 2 || i == 1 && n > 1 { // two passwords, one of which plug 1 accepts
					t.Errorf("seed %d: plug %d refused %d logins", seed, i, n)
				}
			}
		})
	}
}

// usedStore counts how often an entry is asked for.
type usedStore struct{ loads int }

func (s *usedStore) Load(string) []byte {
	s.loads++
	return nil
}

func (*usedStore) Save(string, []byte) {}

func (*usedStore) Sync(context.Context) error { return nil }

// TestReadsUseTheStore: each read says that the entry of the address is in use, so that a
// store that forgets keeps it.
func TestReadsUseTheStore(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{})
	store := new(usedStore)
	d := plugtest.Device(t, p, func(c *tapo.Config) { c.Guard = tapo.NewGuard(c.Address, store) })
	for range 3 {
		before := store.loads
		plugtest.Read(t, d)
		if store.loads == before {
			t.Error("a read does not ask for the entry")
		}
	}
}
