// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestProbeParameters(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	h := newHome(t, fmt.Sprintf(`
auths:
  home: {username: u, password: p}
  office: {username: u, password: q}
targets:
  - {name: a, address: '%s', auth: home}
`, p.Addr()))
	for query, want := range map[string]string{
		"":                                "target is missing",
		"?target=":                        "target is missing",
		"?target=a&target=a":              "target is given more than once",
		"?target=b":                       `unknown target "b"`,
		"?target=a&auth=x":                `unknown auth "x"`,
		"?target=a&auth=office":           `has auth "home", not "office"`,
		"?target=a&auth=home&auth=office": "auth is given more than once",
		"?target=%zz":                     "cannot be parsed",
		"?target=10.0.0.1":                "auth is missing",
		"?target=10.0.0.1&auth=x":         `unknown auth "x"`,
		"?target=A":                       "unknown target",
		"?target=a%0a":                    "unknown target",
	} {
		body := h.want(t, "/probe"+query, 400, want)
		if strings.Count(body, "\n") != 1 {
			t.Errorf("%s: not one line: %q", query, body)
		}
	}
	if p.Stats().Requests != 0 {
		t.Errorf("%d requests", p.Stats().Requests)
	}
}

// TestUnlistedTargets runs plugs behind a dialer, since they live on port 80 of
// addresses that a test must not contact.
func TestUnlistedTargets(t *testing.T) {
	newer := startPlug(t, &simulator.Plug{Load: simulator.Constant(60)})
	older := startPlug(t, &simulator.Plug{Model: simulator.P110Passthrough})
	router := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+older.Addr().String()+r.URL.Path, http.StatusPermanentRedirect)
	}))
	defer router.Close()
	var mu sync.Mutex
	var dialled []string
	withDialer := func(o *Options) {
		o.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			dialled = append(dialled, address)
			to, ok := map[string]string{
				"10.0.0.1:80":      newer.Addr().String(),
				"[fd00::1]:80":     newer.Addr().String(),
				"192.168.0.2:80":   older.Addr().String(),
				"192.168.0.3:80":   router.Listener.Addr().String(),
				"192.168.0.4:8080": newer.Addr().String(),
			}[address]
			if !ok {
				return nil, fmt.Errorf("dialled %s", address)
			}
			return (&net.Dialer{}).DialContext(ctx, network, to)
		}
	}
	h := newHome(t, auths+"targets: [{name: listed, address: '192.168.0.4:8080', allow_passthrough: true}]", withDialer)

	h.want(t, "/probe?target=10.0.0.1", 200, "tapo_up 1", `tapo_power_watts{outlet="1"} 60`)
	h.want(t, "/probe?target=10.0.0.1&auth=home", 200, "tapo_up 1")
	h.want(t, "/probe?target=::ffff:10.0.0.1", 200, "tapo_up 1")
	h.want(t, "/probe?target=[::ffff:10.0.0.1]", 200, "tapo_up 1")
	for _, target := range []string{"fd00::1", "[fd00::1]", "%5Bfd00:0::1%5D&auth=home", "[fd00::1]&auth=home"} {
		h.want(t, "/probe?target="+target, 200, "tapo_up 1")
	}
	h.want(t, "/probe?target=[fd00::1]&auth=x", 400, `unknown auth "x"`)
	if newer.Stats().Logins != 2 {
		t.Errorf("%d logins, want one per spelling that is another address", newer.Stats().Logins)
	}
	h.want(t, "/probe?target=192.168.0.2", 200, "tapo_up 0", `reason="passthrough_not_allowed"`)
	h.want(t, "/probe?target=192.168.0.3", 200, "tapo_up 0", `reason="not_a_plug"`)
	if s := older.Stats(); s.Logins != 0 || s.LoginFailures != 0 || s.Methods["login_device"] != 0 {
		t.Errorf("credentials were sent to an unlisted plug: %+v", s)
	}
	asked := len(dialled)
	for _, target := range []string{
		"10.0.0.1:80", "10.0.0.1:8080", "[fd00::1]:80", "[::1]", "[10.0.0.1]", "[fd00::1", "fd00::1]", "[[fd00::1]]", "[]", "8.8.8.8", "127.0.0.1", "::1", "169.254.169.254", "0.0.0.0", "::",
		"::ffff:8.8.8.8", "::ffff:127.0.0.1", "fe80::1", "fd00::1%25eth0", "localhost", "plug.lan", "10.0.0.1.", "010.0.0.1", "10.1", "0x0a000001",
		"167772161", "http://10.0.0.1", "10.0.0.1/app", "user@10.0.0.1", "10.0.0.1%23", "192.168.0.4", "2002:0a00:0001::", "64:ff9b::10.0.0.1",
	} {
		want := 400
		if target == "192.168.0.4" { // the listed plug's host, on the port that unlisted plugs have
			want = 200
		}
		h.want(t, "/probe?target="+target, want)
	}
	for _, address := range dialled[asked:] {
		if address != "192.168.0.4:80" {
			t.Errorf("dialled %s", address)
		}
	}

	closed := newHome(t, auths+"unlisted: {networks: []}", withDialer)
	closed.want(t, "/probe?target=10.0.0.1", 400, "refused target")
	narrow := newHome(t, auths+"unlisted: {networks: [10.0.0.1/32]}", withDialer)
	narrow.want(t, "/probe?target=10.0.0.1", 200, "tapo_up 1")
	narrow.want(t, "/probe?target=10.0.0.2", 400, "refused target")
}

// TestListedIPv6Address: a listed IPv6 address is found in every spelling, and so is the
// name of its target.
func TestListedIPv6Address(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, p.Addr().String())
	}
	two := "auths: {home: {username: " + username + ", password: " + password + "}, office: {username: u2, password: q}}\n"
	for _, address := range []string{"fd00::7", "[fd00::7]", "'[fd00::7]:80'"} {
		for _, name := range []string{"a", "fd00::7", "[fd00::7]"} {
			h := newHome(t, two+fmt.Sprintf("targets: [{name: %q, address: %q, auth: home}]\nunlisted: {networks: []}\n", name, strings.Trim(address, "'")),
				func(o *Options) { o.DialContext = dial })
			for _, target := range []string{name, "fd00::7", "[fd00::7]", "[fd00:0:0::7]", "[fd00::7]:80"} {
				h.want(t, "/probe?target="+target, 200, "tapo_up 1")
				h.want(t, "/probe?target="+target+"&auth=home", 200, "tapo_up 1")
				h.want(t, "/probe?target="+target+"&auth=office", 400, `has auth "home", not "office"`)
			}
			h.want(t, "/probe?target=[fd00::7]:81", 400, "unknown target")
			h.want(t, "/", 200, "/probe?target="+url.QueryEscape(name))
			if labels := h.labelsInSD(t)[name]; labels["__param_target"] != name {
				t.Errorf("%v", labels)
			}
		}
	}
}

// TestDiscoveredAddress: another account than discovery's reads a discovered plug
// by its address, as it would one that was not discovered.
func TestDiscoveredAddress(t *testing.T) {
	dial := func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }
	h := newHome(t, "auths: {home: {username: u, password: p}, office: {username: u2, password: q}}\ndiscovery: {enabled: true, auth: home}\n",
		func(o *Options) { o.DialContext = dial })
	h.write(t, "auths: {home: {username: u, password: p}, office: {username: u2, password: q}}\ndiscovery: {enabled: true, auth: home}\n"+
		"targets: [{name: a, address: 10.0.0.6, auth: home}]\n")
	h.do(http.MethodPost, "/-/reload")
	h.want(t, "/probe?target=10.0.0.6&auth=office", 400)
	h.locator.RecordReply(reply(aMAC, "10.0.0.5:80"))
	h.want(t, "/probe?target=10.0.0.5&auth=office", 200)
	h.want(t, "/probe?target=10.0.0.5&auth=home", 200)
	h.want(t, "/probe?target=p110-001122&auth=office", 400)
}

// FuzzParameters feeds anything to what a probe's URL and header go through.
func FuzzParameters(f *testing.F) {
	f.Add("target=10.0.0.1&auth=home", "10")
	f.Add("target=a&target=b", "NaN")
	f.Add("target=%00", "1e400")
	f.Add("target=::ffff:10.0.0.1%25eth0", "-1")
	c := &config.Config{
		Auths:   map[string]config.Auth{"home": {Username: username, Password: password}},
		Targets: []config.Target{{Name: "a", Address: "192.0.2.1", Auth: "home"}},
	}
	e := New(Options{Store: config.NewStaticStore(c, slog.New(slog.DiscardHandler))})
	f.Fuzz(func(t *testing.T, query, timeout string) {
		if got, err := probeTimeout(http.Header{timeoutHeader: {timeout}}, 10*time.Second, time.Second/2); err == nil && (got <= 0 || got > 10*time.Second) {
			t.Errorf("timeout %q: %v", timeout, got)
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		target, err := e.resolveTarget(c, values)
		if err == nil && !inConfig(c, target) && !c.Unlisted.Allows(netip.MustParseAddr(target.Address)) {
			t.Errorf("%q leads to %s", query, target.Address)
		}
	})
}
