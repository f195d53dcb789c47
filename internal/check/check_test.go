// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

var update = flag.Bool("update", false, "write testdata anew; look at the difference")

const (
	username = "user@example.com"
	password = "Test-Passw0rd!"
)

// home is a plug and its checker, in a bubble of testing/synctest.
type home struct {
	*testing.T
	*Checker
	plug   *simulator.Plug
	target config.Target
	found  []discovery.Device // what a search finds
	asked  []string           // whom searches have asked
}

func newHome(t *testing.T, p *simulator.Plug) *home {
	t.Helper()
	time.Sleep(time.Until(time.Date(2026, 7, 4, 10, 0, 0, 0, time.UTC)))
	network := new(simulator.Network)
	if p.Username == "" {
		p.Username, p.Password = username, password
	}
	p.Network, p.Listen, p.Latency, p.Load = network, "192.0.2.1:80", 25*time.Millisecond, simulator.Constant(60)
	p.TPAP.Iterations = 10
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	h := &home{T: t, plug: p}
	h.target = config.Target{
		Name: "plug", Address: "192.0.2.1", Auth: "home", Credentials: tapo.Credentials{Username: username, Password: password},
		AllowPassthrough: p.Model.Protocol == simulator.Passthrough,
	}
	h.Checker = &Checker{
		Config: &config.Config{Auths: map[string]config.Auth{"home": {Username: username, Password: password}, "office": {Username: "office@example.com"}}},
		DialContext: func(ctx context.Context, n, address string) (net.Conn, error) {
			return network.DialContext(ctx, n, strings.Replace(address, "plug.lan", "192.0.2.1", 1))
		},
		Search: func(ctx context.Context, s discovery.Search, found func(discovery.Device)) error {
			h.asked = append(h.asked, s.Addresses...)
			for _, d := range h.found {
				found(d)
			}
			if ctx.Err() == nil {
				time.Sleep(s.Timeout)
			}
			return nil
		},
		LookupIP: func(_ context.Context, _, host string) ([]netip.Addr, error) {
			if host == "plug.lan" {
				return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
			}
			return nil, errors.New("no such host")
		},
	}
	return h
}

// text checks the target and returns the report for people.
func (h *home) text() string {
	h.Helper()
	r := h.Target(h.Context(), h.target)
	var b strings.Builder
	if err := r.Write(&b, false); err != nil {
		h.Fatal(err)
	}
	if crossed := strings.Contains(b.String(), "✗"); crossed == r.OK || strings.Count(b.String(), "✗") > 1 {
		h.Errorf("ok is %t of\n%s", r.OK, b.String())
	}
	for _, secret := range []string{password, "TP_SESSIONID", "\x1b"} {
		if strings.Contains(b.String(), secret) {
			h.Errorf("%q is in\n%s", secret, b.String())
		}
	}
	return b.String()
}

// golden compares with a file in testdata; -update writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got)\n%s", path, diff)
	}
}

// TestFaults checks a plug with every fault at every step of every protocol, and
// compares with testdata. What looks the same is there once, below all that it is
// about.
func TestFaults(t *testing.T) {
	for name, k := range map[string]struct {
		model simulator.Model
		steps []string
	}{
		"klap":        {simulator.P110, []string{"discover", "/app/handshake1", "/app/handshake2", "/app/request"}},
		"tpap":        {simulator.P110TPAP, []string{"discover", "pake_register", "pake_share", "/ds"}},
		"passthrough": {simulator.P110Passthrough, []string{"discover", "/app/handshake1", "handshake /app", "login_device /app", "request /app"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			type fault struct{ name, text string }
			var faults []*fault
			t.Run("faults", func(t *testing.T) { // ends when all of them have been tried
				for _, f := range simulator.Faults() {
					if f.Only != "" && !strings.Contains(f.Only, name) {
						continue
					}
					for _, step := range k.steps {
						tried := &fault{name: f.Name + " at " + step}
						faults = append(faults, tried)
						t.Run(tried.name, func(t *testing.T) {
							t.Parallel()
							synctest.Test(t, func(t *testing.T) {
								h := newHome(t, &simulator.Plug{Model: k.model})
								injected := f.Fault
								injected.Path = step
								h.plug.Inject(injected)
								tried.text = h.text()
							})
						})
					}
				}
			})
			about := map[string][]string{}
			var order []string
			for _, f := range faults {
				if about[f.text] == nil {
					order = append(order, f.text)
				}
				about[f.text] = append(about[f.text], f.name)
			}
			var all strings.Builder
			for _, text := range order {
				fmt.Fprintf(&all, "== %s\n%s\n", strings.Join(about[text], "\n== "), text)
			}
			golden(t, "testdata/"+name+".txt", all.String())
		})
	}
}

// TestSituations compares what users meet beside faults with testdata.
func TestSituations(t *testing.T) {
	const mac = "AA-BB-CC-00-11-22"
	device := func(owner string) discovery.Device {
		return discovery.Device{Address: netip.MustParseAddrPort("192.0.2.1:80"), MAC: mac, Type: "SMART.TAPOPLUG", Model: "P110", Owner: owner}
	}
	wrong := func(plug, configured tapo.Credentials) func(*home) {
		return func(h *home) {
			h.plug.SetCredentials(plug.Username, string(plug.Password))
			h.target.Credentials = configured
		}
	}
	right := tapo.Credentials{Username: username, Password: password}
	var all strings.Builder
	for _, tc := range []struct {
		name  string
		model simulator.Model
		make  func(*home)
	}{
		{"a good plug", simulator.P110, func(*home) {}},
		{"a good plug, TPAP", simulator.P110TPAP, func(*home) {}},
		{"a good plug, securePassthrough", simulator.P110Passthrough, func(*home) {}},
		{"a plug without a meter, switched off", simulator.P100, func(h *home) { h.plug.SetRelay(false) }},
		{"a strip", simulator.P304M, func(*home) {}},
		{"by its name", simulator.P110, func(h *home) { h.target.Address = "plug.lan" }},
		{"a name that nobody knows", simulator.P110, func(h *home) { h.target.Address = "plug.example" }},
		{"an address that is none", simulator.P110, func(h *home) { h.target.Address = "http://192.0.2.1/" }},
		{"nobody at the address", simulator.P110, func(h *home) { h.plug.Close() }},
		{"asleep", simulator.P110TPAP, func(h *home) {
			if err := h.plug.Sleep(); err != nil {
				t.Fatal(err)
			}
		}},
		{"by its MAC, not found", simulator.P110, func(h *home) { h.target.Address, h.target.MAC = "", mac }},
		{"by its MAC, another plug there", simulator.P110, func(h *home) {
			h.target.Address, h.target.MAC, h.found = "", mac, []discovery.Device{device("")}
		}},
		{"old firmware, not allowed", simulator.P110Passthrough, func(h *home) { h.target.AllowPassthrough = false }},
		{"compatibility off, TPAP out of the question", simulator.P110TPAP, func(h *home) { h.target.Protocol = tapo.KLAP }},
		{"replies not verified", simulator.P110, func(h *home) { h.target.VerifyReplies = new(bool) }},
		{"clock of the year 2000", simulator.P110, func(h *home) { h.plug.SetClock(-26 * 365 * 24 * time.Hour) }},
		{"clock 12 minutes fast", simulator.P110, func(h *home) { h.plug.SetClock(12 * time.Minute) }},
		{"energies refused", simulator.P110, func(h *home) { h.plug.Refuse("get_energy_usage", -2201) }},
		{"get_device_info refused", simulator.P110, func(h *home) { h.plug.Refuse("get_device_info", -1001) }},
		{"the reply to a method is damaged", simulator.P110, func(h *home) { h.plug.Answer("get_emeter_data", `{"power_mw":--19231}`) }},
		{"methods of two sockets fail", simulator.P210M, func(h *home) {
			h.plug.Answer("1/get_emeter_data", `{"power_mw":--19231}`)
			h.plug.Answer("2/get_energy_usage", "{}")
			h.plug.Refuse("2/get_protection_power", -1001)
		}},
		{"a socket refuses everything", simulator.P210M, func(h *home) { h.plug.AnswerWhole("2/control_child", `{"error_code":-1}`) }},
		{"no method is answered", simulator.P110, func(h *home) {
			h.plug.Respond = func([]byte) []byte { return []byte("{}") }
		}},
		{"components refused", simulator.P110, func(h *home) { h.plug.Refuse("component_nego", -1002) }},
		{"e-mail in capitals", simulator.P110, wrong(right, tapo.Credentials{Username: "User@Example.com", Password: password})},
		{"e-mail with blanks", simulator.P110, wrong(right, tapo.Credentials{Username: " " + username, Password: password})},
		{"set-up credentials", simulator.P110, wrong(tapo.Credentials{Username: "test@tp-link.net", Password: "test"}, right)},
		{"password with blanks", simulator.P110, wrong(right, tapo.Credentials{Username: username, Password: password + " "})},
		{"another password", simulator.P110, wrong(right, tapo.Credentials{Username: username, Password: "another"})},
		{"another password, the owner is ours", simulator.P110, func(h *home) {
			wrong(right, tapo.Credentials{Username: username, Password: "another"})(h)
			h.found = []discovery.Device{device(discovery.Owner(username))}
		}},
		{"another password, TPAP, the owner is ours", simulator.P110TPAP, func(h *home) {
			wrong(right, tapo.Credentials{Username: username, Password: "another"})(h)
			h.found = []discovery.Device{device(discovery.Owner(username))}
		}},
		{"e-mail in capitals, securePassthrough, the owner is in lower case", simulator.P110Passthrough, func(h *home) {
			wrong(right, tapo.Credentials{Username: "User@Example.com", Password: password})(h)
			h.found = []discovery.Device{device(discovery.Owner(username))}
		}},
		{"e-mail with blanks, securePassthrough, the owner is without", simulator.P110Passthrough, func(h *home) {
			wrong(right, tapo.Credentials{Username: username + " ", Password: password})(h)
			h.found = []discovery.Device{device(discovery.Owner(username))}
		}},
		{"e-mail in capitals, securePassthrough, no reply", simulator.P110Passthrough, wrong(right, tapo.Credentials{Username: "User@Example.com", Password: password})},
		{"the owner is another account of the configuration", simulator.P110, func(h *home) {
			wrong(tapo.Credentials{Username: "office@example.com", Password: "x"}, right)(h)
			h.found = []discovery.Device{device(discovery.Owner("office@example.com"))}
		}},
		{"the owner is somebody else", simulator.P110, func(h *home) {
			wrong(tapo.Credentials{Username: "somebody@example.com", Password: "x"}, right)(h)
			h.found = []discovery.Device{device(discovery.Owner("somebody@example.com"))}
		}},
		{"the owner is nobody", simulator.P110, func(h *home) {
			wrong(tapo.Credentials{Username: "somebody@example.com", Password: "x"}, right)(h)
			h.found = []discovery.Device{device("")}
		}},
		{"another password, TPAP, the owner's e-mail in lower case", simulator.P110TPAP, func(h *home) {
			wrong(right, tapo.Credentials{Username: "User@Example.com", Password: "another"})(h)
			h.found = []discovery.Device{device(discovery.Owner(username))}
		}},
		{"a strip that does not list its sockets", simulator.P304M, func(h *home) { h.plug.Refuse("get_child_device_list", -1001) }},
		{"a clock of the year 2000 in no zone", simulator.P110, func(h *home) {
			h.plug.Answer("get_device_info", `{"device_id":"1","model":"P110\u001b[2J\n","device_on":true}`)
			h.plug.SetClock(-26 * 365 * 24 * time.Hour)
		}},
		{"the example's account", simulator.P110, func(h *home) { h.target.Credentials.Password = config.ExamplePassword }},
		{"refused before", simulator.P110TPAP, func(h *home) {
			wrong(right, tapo.Credentials{Username: username, Password: "another"})(h)
			h.Rejections = memory{}
			h.Target(h.Context(), h.target)
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHome(t, &simulator.Plug{Model: tc.model})
			tc.make(h)
			fmt.Fprintf(&all, "== %s\n%s\n", tc.name, h.text())
			for _, a := range h.asked {
				if !strings.HasPrefix(a, "192.0.2.1:") {
					t.Errorf("%s: asked %s", tc.name, a)
				}
			}
		})
	}
	golden(t, "testdata/situations.txt", all.String())
}

// memory is a tapo.RejectionStore.
type memory map[string][]byte

func (m memory) Load(address string) []byte { return m[address] }

func (m memory) Save(address string, state []byte) { m[address] = state }

func (memory) Sync(context.Context) error { return nil }

// TestNoHarm: a check costs one login at most, whatever the outcome.
func TestNoHarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t, &simulator.Plug{Model: simulator.P110TPAP})
		h.target.Credentials.Password = "wrong"
		h.Rejections = memory{}
		for range 5 {
			h.Target(t.Context(), h.target)
		}
		if got := h.plug.Stats().LoginFailures; got != 1 {
			t.Errorf("%d logins refused", got)
		}
	})
}

// TestSamePlugTwice: a plug under two names is asked by one of them at a time, so
// that neither takes the other's login for a wrong one.
func TestSamePlugTwice(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P110TPAP, simulator.P304M, simulator.P110Passthrough} {
		synctest.Test(t, func(t *testing.T) {
			h := newHome(t, &simulator.Plug{Model: m})
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					if r := h.Target(t.Context(), h.target); !r.OK {
						t.Errorf("%s: %s", m.Name, r.Reason)
					}
				})
			}
			group.Wait()
			each := map[simulator.Protocol]int{simulator.KLAP: 10, simulator.TPAP: 4, simulator.Passthrough: 5}[m.Protocol]
			if got := h.plug.Stats().Requests; got != 8*each {
				t.Errorf("%s: %d requests, want %d: sessions were lost", m.Name, got, 8*each)
			}
			h.target.Credentials.Password = "wrong"
			for range 5 {
				group.Go(func() { h.Target(t.Context(), h.target) })
			}
			group.Wait()
			if got := h.plug.Stats().LoginFailures; m.Protocol == simulator.TPAP && got != 1 {
				t.Errorf("%d logins refused", got)
			}
		})
	}
}
