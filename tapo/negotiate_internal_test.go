// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/budget"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lockout"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
)

// fakeTransport is a transport that answers as told, and its own offer and session.
type fakeTransport struct {
	protocol Protocol
	plug     *fakePlug
}

// fakePlug is what a plug answers over each transport.
type fakePlug struct {
	asks, logins map[Protocol]error // nil for an offer, or a session
	reusable     bool               // its offers
	calls        []string
}

func (f fakeTransport) Protocol() Protocol { return f.protocol }

func (f fakeTransport) Recognise(context.Context, transport.Link) (transport.Offer, error) {
	f.plug.calls = append(f.plug.calls, "ask "+string(f.protocol))
	if err := f.plug.asks[f.protocol]; err != nil {
		return nil, err
	}
	return f, nil
}

func (f fakeTransport) Login(context.Context, transport.Link, transport.Offer, Credentials) (transport.Session, error) {
	f.plug.calls = append(f.plug.calls, "login "+string(f.protocol))
	if err := f.plug.logins[f.protocol]; err != nil {
		return nil, err
	}
	return f, nil
}

func (fakeTransport) MAC() string { return "AA-BB-CC-00-11-22" }

// Reusable is as with real transports, unless the plug is set to.
func (f fakeTransport) Reusable() bool { return f.plug.reusable || f.protocol == TPAP }

func (fakeTransport) RoundTrip(context.Context, []byte) ([]byte, error) { return nil, io.EOF }

func (fakeTransport) Lifetime() time.Duration { return 0 }

var (
	errNotSpoken = &transport.NotSpoken{Err: errors.New("not spoken")}
	errOther     = &transport.Unsupported{What: "spoken in another way"}
	errRefused   = &transport.Refused{Err: errors.New("refused")}
	errRejected  = &transport.Rejected{Err: errors.New("rejected"), AttemptsLeft: -1}
)

// newFakeLogin returns a login to a plug that is fake.
func newFakeLogin(t *testing.T, p *fakePlug, change func(*Config)) *login {
	t.Helper()
	before := transports
	t.Cleanup(func() { transports = before })
	transports = nil
	for _, row := range before {
		protocol := row.open().Protocol()
		row.open = func() transport.Transport { return fakeTransport{protocol, p} }
		transports = append(transports, row)
	}
	cfg := Config{
		Address: "192.0.2.1", AllowPassthrough: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed },
	}
	if change != nil {
		change(&cfg)
	}
	cfg, err := cfg.complete()
	if err != nil {
		t.Fatal(err)
	}
	return newLogin(cfg, budget.Unlimited())
}

// TestNegotiate has the walk over the transports: which are asked, over which a
// login is tried, and what becomes of it.
func TestNegotiate(t *testing.T) {
	type errs = map[Protocol]error
	const ask1, ask2, ask3, login1, login2, login3 = "ask tpap", "ask klap", "ask passthrough", "login tpap", "login klap", "login passthrough"
	for _, tc := range []struct {
		name         string
		asks, logins errs
		change       func(*Config)
		calls        []string
		over         Protocol
		text         string // of the error
	}{
		{"the first", nil, nil, nil, []string{ask1, login1}, TPAP, ""},
		{"the second", errs{TPAP: errNotSpoken}, nil, nil, []string{ask1, ask2, login2}, KLAP, ""},
		{"the last", errs{TPAP: errNotSpoken, KLAP: errNotSpoken}, nil, nil, []string{ask1, ask2, ask3, login3}, Passthrough, ""},
		{
			"the last is not allowed",
			errs{TPAP: errNotSpoken, KLAP: errNotSpoken},
			nil, func(c *Config) { c.AllowPassthrough = false },
			[]string{ask1, ask2},
			"", "closed",
		},
		{"spoken in another way", errs{TPAP: errOther}, nil, nil, []string{ask1, ask2, login2}, KLAP, ""},
		{
			"spoken in another way, and the last not talked down to",
			errs{TPAP: errOther, KLAP: errNotSpoken},
			nil, nil,
			[]string{ask1, ask2},
			"", "spoken in another way",
		},
		{"no connection", errs{TPAP: io.EOF}, nil, nil, []string{ask1}, "", "EOF"},
		{"locked", errs{TPAP: errRejected}, nil, nil, []string{ask1}, "", "rejected"},
		{"rejected", nil, errs{TPAP: errRejected}, nil, []string{ask1, login1}, "", "rejected"},
		{"refused", nil, errs{TPAP: errRefused}, nil, []string{ask1, login1, ask2, login2}, KLAP, ""},
		{"a damaged reply", nil, errs{TPAP: plugerr.ErrBadReply}, nil, []string{ask1, login1, ask2, login2}, KLAP, ""},
		{
			"a damaged reply to a proof", nil,
			errs{TPAP: &transport.Rejected{Err: plugerr.ErrBadReply, OutcomeUnknown: true, AttemptsLeft: -1}},
			nil,
			[]string{ask1, login1},
			"", "bad reply",
		},
		{
			"refused, and nothing else spoken",
			errs{KLAP: errNotSpoken},
			errs{TPAP: errRefused},
			nil,
			[]string{ask1, login1, ask2},
			"", "refused",
		},
		{"the second fails in its own way", errs{TPAP: errOther}, errs{KLAP: errRefused}, nil, []string{ask1, ask2, login2}, "", "refused"},
		{"the second is damaged", nil, errs{TPAP: errRefused, KLAP: plugerr.ErrBadReply}, nil, []string{ask1, login1, ask2, login2}, "", "bad reply"},
		{"pinned", nil, nil, func(c *Config) { c.Protocol = KLAP }, []string{ask2, login2}, KLAP, ""},
		{"pinned to the last", nil, nil, func(c *Config) { c.Protocol = Passthrough }, []string{ask3, login3}, Passthrough, ""},
		{"another MAC address", nil, nil, func(c *Config) { c.MAC = "AA-BB-CC-00-11-23" }, []string{ask1}, "", "another plug"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := &fakePlug{asks: tc.asks, logins: tc.logins}
			s, err := newFakeLogin(t, p, tc.change).negotiate(t.Context())
			if tc.over == "" {
				if err == nil || !strings.Contains(err.Error(), tc.text) {
					t.Errorf("%v, want %q in it", err, tc.text)
				}
			} else if err != nil || s.over.Protocol() != tc.over {
				t.Errorf("%+v, %v, want a session over %s", s, err, tc.over)
			}
			if got, want := strings.Join(p.calls, ", "), strings.Join(tc.calls, ", "); got != want {
				t.Errorf("%s; want %s", got, want)
			}
		})
	}
}

// TestNegotiateAgain has what a second login begins with: the offer of the first
// one, or else its transport, unless the plug has changed.
func TestNegotiateAgain(t *testing.T) {
	for _, tc := range []struct {
		name     string
		reusable bool
		change   func(*fakePlug)
		calls    string
		err      string
	}{
		{"an offer that can be used again", true, nil, "login klap", ""},
		{"an offer that cannot", false, nil, "ask klap, login klap", ""},
		{"the offer is refused", true, func(p *fakePlug) { p.logins[KLAP], p.asks[TPAP] = errRefused, nil }, "login klap, ask tpap, login tpap", ""},
		{"no longer spoken", false, func(p *fakePlug) { p.asks[KLAP], p.asks[TPAP] = errNotSpoken, nil }, "ask klap, ask tpap, login tpap", ""},
		{"rejected", true, func(p *fakePlug) { p.logins[KLAP] = errRejected }, "login klap", "rejected"},
		{"no connection", false, func(p *fakePlug) { p.asks[KLAP] = io.EOF }, "ask klap", "EOF"},
		{"not talked down to the last", false, func(p *fakePlug) { p.asks[KLAP] = errNotSpoken }, "ask klap, ask tpap, ask klap", "closed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := &fakePlug{asks: map[Protocol]error{TPAP: errNotSpoken}, logins: map[Protocol]error{}, reusable: tc.reusable}
			l := newFakeLogin(t, p, nil)
			if _, err := l.ensure(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.calls = nil
			if tc.change != nil {
				tc.change(p)
			}
			l.drop()
			_, err := l.ensure(t.Context())
			if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
				t.Errorf("%v, want %q in it", err, tc.err)
			}
			if got := strings.Join(p.calls, ", "); got != tc.calls {
				t.Errorf("%s; want %s", got, tc.calls)
			}
		})
	}
}

// TestNegotiateNeverDown: a plug that was read over securePassthrough, and then has
// announced another transport, is not read over securePassthrough again, also if
// the login over the other one has failed.
func TestNegotiateNeverDown(t *testing.T) {
	for _, newer := range []Protocol{TPAP, KLAP} {
		for name, failure := range map[string]error{"no connection": io.EOF, "refused": errRefused, "rejected": errRejected, "damaged": plugerr.ErrBadReply} {
			p := &fakePlug{asks: map[Protocol]error{TPAP: errNotSpoken, KLAP: errNotSpoken}, logins: map[Protocol]error{}}
			l := newFakeLogin(t, p, nil)
			if s, err := l.ensure(t.Context()); err != nil || s.over.Protocol() != Passthrough {
				t.Fatalf("%v over %v", err, s)
			}
			l.drop()
			p.asks[newer], p.logins[newer] = nil, failure
			p.asks[Passthrough] = errNotSpoken
			if _, err := l.ensure(t.Context()); err == nil {
				t.Fatal("logged in")
			}
			l.drop()
			p.asks[newer], p.asks[Passthrough], p.calls = errNotSpoken, nil, nil
			l.backoff = lockout.Backoff{}
			if _, err := l.ensure(t.Context()); err == nil || strings.Contains(strings.Join(p.calls, ", "), "passthrough") {
				t.Errorf("%s over %s: talked down, %v, %v", name, newer, err, p.calls)
			}
			p.asks[newer], p.logins[newer] = nil, nil
			if s, err := l.ensure(t.Context()); err != nil || s.over.Protocol() != newer {
				t.Errorf("%s over %s: not read when it can be, %v", name, newer, err)
			}
		}
	}
}
