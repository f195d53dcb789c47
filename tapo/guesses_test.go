// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestRogueAtManyAddresses: at addresses that nobody has listed there are ten guesses a day
// in all, over restarts too, and the true plugs cost none.
func TestRogueAtManyAddresses(t *testing.T) {
	t.Parallel()
	for _, answers := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			store := memoryStore{}
			guesses := tapo.NewGuesses(store)
			r := &plugtest.Rogue{MAC: always(rogueMAC), Scheme: always(asField), Guess: "a guess", Answers: answers}
			read := func(i int, change ...func(*tapo.Config)) error {
				d := newRogue(t, r, append([]func(*tapo.Config){func(c *tapo.Config) {
					c.Address, c.AllowPassthrough, c.Guesses = fmt.Sprintf("10.0.0.%d:80", i), false, guesses
				}}, change...)...)
				defer d.Close()
				ctx, cancel := context.WithTimeout(t.Context(), plugtest.ProbeTime)
				defer cancel()
				_, err := d.Read(ctx)
				return err
			}
			var last error
			for i := range 60 {
				last = read(i)
				if i%10 == 9 {
					guesses = tapo.NewGuesses(store)
				}
			}
			if s := r.Stats(); s.Proofs != 10 {
				t.Errorf("%+v, want 10 proofs", s)
			}
			if e, _ := errors.AsType[*tapo.Error](last); e == nil || e.Reason != tapo.LoginBackoff || !strings.Contains(e.Advice, "List this plug") {
				t.Errorf("%v, %s", e, e.Advice)
			}
			_ = read(61, with(tapo.Credentials{Username: plugtest.Username, Password: "another"}))
			_ = read(62, func(c *tapo.Config) { c.Guesses = nil })
			if s := r.Stats(); s.Proofs != 12 {
				t.Errorf("%+v, want one more for other credentials, and one for a listed address", s)
			}
			time.Sleep(24 * time.Hour)
			for i := range 60 {
				_ = read(i)
			}
			if s := r.Stats(); s.Proofs != 22 {
				t.Errorf("%+v, want 10 more a day later", s)
			}
		})
	}
}

// TestRogueOverKLAP: a host that knows the e-mail address may try a guess in its reply to
// handshake1, and sees whether handshake2 follows. At addresses that nobody has listed there
// are a hundred a day in all. A right guess after them is as good as a wrong one.
func TestRogueOverKLAP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memoryStore{}
		network := new(simulator.Network)
		guess := func(i int, password string) (handshake2 int, err error) {
			p := plugtest.Start(t, &simulator.Plug{
				Username: plugtest.Username, Password: password, Network: network, Listen: fmt.Sprintf("10.0.%d.%d:80", i/200, 1+i%200),
			})
			d := plugtest.Device(t, p, func(c *tapo.Config) { c.Guesses, c.AllowPassthrough = tapo.NewGuesses(store), false })
			defer d.Close()
			_, err = d.Read(t.Context())
			return p.Stats().Steps["/app/handshake2"], err
		}
		if _, err := guess(0, plugtest.Password); err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			if n, err := guess(1+i, fmt.Sprint("guess ", i)); n != 0 || plugtest.ReasonOf(t, err) != tapo.BadCredentials {
				t.Errorf("guess %d: %v", i, err)
			}
		}
		for i, password := range []string{"a guess", plugtest.Password} {
			n, err := guess(101+i, password)
			if e, _ := errors.AsType[*tapo.Error](err); n != 0 || e == nil || e.Reason != tapo.LoginBackoff || e.Protocol != tapo.KLAP {
				t.Errorf("after a hundred: %v", err)
			}
		}
		time.Sleep(24 * time.Hour)
		if _, err := guess(103, plugtest.Password); err != nil {
			t.Errorf("a day later: %v", err)
		}
	})
}

// TestPasswordChangesInAFleet: plugs that were read before may reject the new password as long
// as they take to get it, whoever lists them.
func TestPasswordChangesInAFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guesses := tapo.NewGuesses(nil)
		network := new(simulator.Network)
		counted := func(c *tapo.Config) { c.Guesses, c.AllowPassthrough = guesses, false }
		var plugs []*simulator.Plug
		var devices []*tapo.Device
		for i := range 150 {
			p := plugtest.Start(t, &simulator.Plug{Network: network, Listen: fmt.Sprintf("10.0.0.%d:80", i+1)})
			plugs, devices = append(plugs, p), append(devices, plugtest.Device(t, p, counted))
			plugtest.Read(t, devices[i])
			p.SetCredentials(plugtest.Username, "another")
			p.LoseSession()
			plugtest.Fails(t, devices[i], tapo.BadCredentials)
		}
		time.Sleep(time.Hour)
		for i, p := range plugs {
			p.SetCredentials(plugtest.Username, plugtest.Password)
			plugtest.Read(t, devices[i])
		}
	})
}

// TestRogueClaimsAMAC: whoever claims the MAC address of a listed plug, at one address after
// the other, gets no more than hosts at other addresses that nobody has listed. The true
// plug's own address stays out of that once it has proved itself.
func TestRogueClaimsAMAC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guesses := tapo.NewGuesses(nil).UntilProven()
		h := plugtest.StartHome(t, &simulator.Plug{Model: simulator.P110TPAP})
		h.Guard = tapo.NewGuard("192.0.2.1:80", nil)
		counted := func(c *tapo.Config) { c.Guesses = guesses }
		h.Device = h.NewDevice(counted)
		if reason, e := h.Probe(); reason != plugtest.OK {
			t.Fatal(e)
		}
		r := &plugtest.Rogue{MAC: always(rogueMAC), Scheme: always(asField), Guess: "a guess", Answers: true}
		for i := range 50 {
			d := newRogue(t, r, counted, func(c *tapo.Config) { c.Address, c.MAC = fmt.Sprintf("192.0.2.1:%d", 1024+i), rogueMAC })
			if _, err := d.Read(t.Context()); err == nil {
				t.Error("it was read")
			}
		}
		if s := r.Stats(); s.Proofs != 10 {
			t.Errorf("%+v", s)
		}
		h.Plug.LoseSession()
		if reason, e := h.Probe(); reason != plugtest.OK {
			t.Errorf("the true plug: %v", e)
		}
	})
}

// TestGuessesOfTruePlugs: logins that succeed are no guesses, also many at a time.
func TestGuessesOfTruePlugs(t *testing.T) {
	store := memoryStore{}
	guesses := tapo.NewGuesses(store)
	errs := make(chan error)
	const plugs = 25
	for range plugs {
		p := plugtest.Start(t, tpapPlug())
		d := plugtest.Device(t, p, func(c *tapo.Config) { c.Guesses, c.AllowPassthrough = guesses, false })
		go func() {
			_, err := d.Read(t.Context())
			errs <- err
		}()
	}
	for range plugs {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if len(store) != 0 {
		t.Errorf("stored: %s", store)
	}
}

// TestEachLoginIsAGuess: a device spends a guess for each of its logins, not only for the
// first one.
func TestEachLoginIsAGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r := &plugtest.Rogue{MAC: func() string { n++; return fmt.Sprintf("020000%06X", n) }, Scheme: always(asField), Guess: "a guess", Answers: true}
		guesses := tapo.NewGuesses(nil)
		for i := range 6 {
			pollRogue(t, newRogue(t, r, func(c *tapo.Config) {
				c.Address, c.AllowPassthrough, c.Guesses = fmt.Sprintf("10.0.0.%d:80", i), false, guesses
			}), time.Hour)
		}
		if s := r.Stats(); s.Proofs != 10 {
			t.Errorf("%+v, want 10 proofs", s)
		}
	})
}
