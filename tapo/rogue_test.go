// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// The tests below have a host answer that poses as a plug, with all that it can choose, and
// count what it gets to know.

// always returns a function that returns the same.
func always(s string) func() string { return func() string { return s } }

const (
	rogueMAC = "AABBCC001122"
	asField  = `{"type":"password_shadow","params":{"passwd_id":2}}` // as plugs on record want it
)

// newRogue returns a host that poses as a plug at a listed address, and a client.
func newRogue(t *testing.T, r *plugtest.Rogue, change ...func(*tapo.Config)) *tapo.Device {
	t.Helper()
	cfg := tapo.Config{Address: "192.0.2.1:80", Credentials: plugtest.Credentials, AllowPassthrough: true, DialContext: r.DialContext}
	for _, c := range change {
		c(&cfg)
	}
	d, err := tapo.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// pollRogue reads every minute, and fails if a reading comes.
func pollRogue(t *testing.T, d *tapo.Device, within time.Duration) {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(time.Minute) {
		ctx, cancel := context.WithTimeout(t.Context(), plugtest.ProbeTime)
		r, err := d.Read(ctx)
		cancel()
		if err == nil {
			t.Fatalf("it was read: %+v", r)
		}
	}
}

// TestRogueGetsNoLossyCredential: a host that asks for a credential that shows a part of the
// password, or has none of it, gets no proof, however it varies its question.
func TestRogueGetsNoLossyCredential(t *testing.T) {
	n := 0
	for name, scheme := range map[string]func() string{
		"dictionaries that leave one bit": func() string {
			n++
			dictionary := []byte(strings.Repeat("0", 128))
			dictionary[n%128] = '1'
			return fmt.Sprintf(`{"type":"password_authkey","params":{"authkey_tmpkey":"","authkey_dictionary":%q}}`, dictionary)
		},
		"a dictionary of one character": always(`{"type":"password_authkey","params":{"authkey_tmpkey":"","authkey_dictionary":"0"}}`),
		"no password":                   always(`{"type":"password_shadow","params":{"passwd_id":3}}`),
		"an unknown scheme":             always(`{"type":"password_plain","params":{}}`),
		"an unknown hash":               always(`{"type":"password_shadow","params":{"passwd_id":4}}`),
		"no salt":                       always(`{"type":"password_shadow","params":{"passwd_id":1,"passwd_prefix":"$1$$"}}`),
		"a salt that is none":           always(`{"type":"password_shadow","params":{"passwd_id":5,"passwd_prefix":"$5$` + strings.Repeat("x", 4096) + `$"}}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &plugtest.Rogue{MAC: always(rogueMAC), Scheme: scheme, Answers: true}
				d := newRogue(t, r)
				pollRogue(t, d, time.Hour)
				if s := r.Stats(); s.Proofs > 0 || s.Asked == 0 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestRogueOnLoopback is some of the above over sockets.
func TestRogueOnLoopback(t *testing.T) {
	for scheme, want := range map[string]struct {
		reason tapo.Reason
		proofs int
	}{
		`{"type":"password_authkey","params":{"authkey_tmpkey":"","authkey_dictionary":"01"}}`: {tapo.Unsupported, 0},
		`{"type":"password_shadow","params":{"passwd_id":3}}`:                                  {tapo.BadCredentials, 0},
		asField: {tapo.BadReply, 1},
	} {
		for _, mac := range []string{"", rogueMAC} {
			r := &plugtest.Rogue{MAC: always(rogueMAC), Scheme: always(scheme), Guess: "a guess", Answers: true}
			d := newRogue(t, r, func(c *tapo.Config) { c.Address, c.DialContext, c.MAC = r.Listen(t), nil, mac })
			plugtest.Fails(t, d, want.reason)
			for range 5 {
				if _, err := d.Read(t.Context()); err == nil {
					t.Error("it was read")
				}
			}
			if s := r.Stats(); s.Proofs != want.proofs {
				t.Errorf("%s: %+v", scheme, s)
			}
		}
	}
}

// TestRogueGuesses: a host gets one guess per login, and few logins: one if it answers, three
// if it keeps silent, nine if it makes MAC addresses up as well. Its guess may be right
// without its getting the password itself.
func TestRogueGuesses(t *testing.T) {
	t.Parallel()
	n := 0
	for name, tc := range map[string]struct {
		rogue *plugtest.Rogue
		most  int
	}{
		"answers":                         {&plugtest.Rogue{MAC: always(rogueMAC), Answers: true}, 1},
		"keeps silent":                    {&plugtest.Rogue{MAC: always(rogueMAC)}, 3},
		"makes MAC addresses up":          {&plugtest.Rogue{MAC: func() string { n++; return fmt.Sprintf("020000%06X", n) }, Answers: true}, 9},
		"makes MAC addresses up, silent":  {&plugtest.Rogue{MAC: func() string { n++; return fmt.Sprintf("020000%06X", n) }}, 9},
		"has no MAC address":              {&plugtest.Rogue{MAC: always(""), Answers: true}, 1},
		"has MAC addresses that are none": {&plugtest.Rogue{MAC: func() string { n++; return fmt.Sprint(n) }, Answers: true}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := tc.rogue
				r.Scheme, r.Guess = always(asField), "a guess"
				pollRogue(t, newRogue(t, r), 3*24*time.Hour)
				if s := r.Stats(); s.Proofs > tc.most || s.Proofs == 0 || s.RightGuesses > 0 {
					t.Errorf("%+v, want %d proofs at most", s, tc.most)
				}
			})
		})
	}
}

// TestRogueBetweenClientAndPlug: a host that passes logins on to the true plug gets guesses
// between them. A success says nothing of a login in another way, and in the same way there
// are ten guesses a day.
func TestRogueBetweenClientAndPlug(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		mac, scheme string
		proofs      int // in three days
	}{
		"another scheme":      {"", `{"type":"password_sha_with_salt","params":{"sha_name":0,"sha_salt":""}}`, 3},
		"another MAC address": {rogueMAC, asField, 3},
		"the same":            {"", asField, 30},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := plugtest.StartHome(t, &simulator.Plug{Model: simulator.P110TPAP, Latency: time.Millisecond})
				if tc.mac == "" {
					tc.mac = strings.ReplaceAll(plugtest.Read(t, h.NewDevice()).Info.MAC, "-", "")
				}
				r := &plugtest.Rogue{MAC: always(tc.mac), Scheme: always(tc.scheme), Guess: "a guess"}
				var posing atomic.Bool
				d := newRogue(t, r, func(c *tapo.Config) {
					c.AllowPassthrough = false
					c.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
						if posing.Load() {
							return r.DialContext(ctx, network, address)
						}
						return h.Plug.Network.DialContext(ctx, network, h.Plug.Addr().String())
					}
				})
				reads, patience := 0, 0
				for end := time.Now().Add(3 * 24 * time.Hour); time.Now().Before(end); time.Sleep(15 * time.Second) {
					before := r.Stats().Proofs
					switch reason := h.Reason(d); {
					case reason == plugtest.OK: // enough of that
						reads++
						posing.Store(true)
						patience = 5
						h.Plug.LoseSession()
						h.Plug.CloseConnections()
					case r.Stats().Proofs > before, patience == 0:
						posing.Store(false)
					}
					patience--
				}
				if s := r.Stats(); s.Proofs != tc.proofs {
					t.Errorf("%+v in three days and %d readings, want %d proofs", s, reads, tc.proofs)
				}
			})
		})
	}
}

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

// TestRogueAndRestarts: a process that ends while a proof is under way, however it ends, has
// stored that.
func TestRogueAndRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &plugtest.Rogue{MAC: always(rogueMAC), Scheme: always(asField), Guess: "a guess"}
		store, guesses := memoryStore{}, 0
		for range 12 {
			d := newRogue(t, r, func(c *tapo.Config) { c.Guard = tapo.NewGuard("192.0.2.1:80", store) })
			ctx, cancel := context.WithTimeout(t.Context(), plugtest.ProbeTime)
			done := make(chan struct{})
			go func() { _, _ = d.Read(ctx); close(done) }()
			synctest.Wait() // the proof is under way, or none is
			killed := maps.Clone(store)
			cancel()
			<-done
			store = killed
			guesses = r.Stats().Proofs
			time.Sleep(time.Minute)
		}
		if guesses != 3 {
			t.Errorf("%d proofs, want 3", guesses)
		}
	})
}

// TestNewerPlugAndRestarts: a plug that has spoken a newer protocol is never talked down to
// securePassthrough, over restarts too.
func TestNewerPlugAndRestarts(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P110, simulator.P110TPAP} {
		for _, allowedBefore := range []bool{true, false} {
			store := memoryStore{}
			p := plugtest.Start(t, &simulator.Plug{Model: m})
			start := func(allowed bool) *tapo.Device {
				return plugtest.Device(t, p, func(c *tapo.Config) {
					c.Guard, c.AllowPassthrough = tapo.NewGuard(p.Addr().String(), store), allowed
				})
			}
			plugtest.Read(t, start(allowedBefore))
			p.SetModel(simulator.P110Passthrough)
			before := p.Stats()
			e := plugtest.Failure(t, start(true), tapo.PassthroughNotAllowed)
			if s := p.Stats(); s.Steps["login_device /app"] > 0 || s.Logins != before.Logins {
				t.Errorf("the password was sent: %v", s.Steps)
			}
			if !strings.Contains(e.Advice, "Never locked out") {
				t.Errorf("advice %q", e.Advice)
			}
			clear(store)
			plugtest.Read(t, start(true))
		}
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

// TestRefusedByAnotherProcess: a device knows what a plug has refused another process since
// it was made, and keeps it.
func TestRefusedByAnotherProcess(t *testing.T) {
	for _, stored := range []string{"", `{"newer":true}`} {
		store, p := memoryStore{}, plugtest.Start(t, tpapPlug())
		address := p.Addr().String()
		if stored != "" {
			store[address] = []byte(stored)
		}
		device := func() *tapo.Device {
			return plugtest.Device(t, p, with(wrong), func(c *tapo.Config) { c.Guard = tapo.NewGuard(address, store) })
		}
		first, second := device(), device()
		plugtest.Failure(t, first, tapo.BadCredentials)
		plugtest.Failure(t, second, tapo.LoginBackoff)
		plugtest.Failure(t, device(), tapo.LoginBackoff)
		if n := p.Stats().Steps["pake_share"]; n != 1 {
			t.Errorf("%d proofs, with %q stored before", n, stored)
		}
	}
}
