// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"context"
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

// pollRogue reads every five minutes, and fails if a reading comes.
func pollRogue(t *testing.T, d *tapo.Device, within time.Duration) {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(5 * time.Minute) {
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
				for end := time.Now().Add(3 * 24 * time.Hour); time.Now().Before(end); time.Sleep(time.Minute) {
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
		_ = plugtest.Failure(t, first, tapo.BadCredentials)
		_ = plugtest.Failure(t, second, tapo.LoginBackoff)
		_ = plugtest.Failure(t, device(), tapo.LoginBackoff)
		if n := p.Stats().Steps["pake_share"]; n != 1 {
			t.Errorf("%d proofs, with %q stored before", n, stored)
		}
	}
}
