// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// kind is a kind of device that an address may have.
type kind struct {
	device, answers string
	plug            *simulator.Plug // nil for something else, at the address of other
	other           func(*testing.T) string
	prepare         func(*simulator.Plug) // after the start; may be nil
	allowed         bool                  // with allow_passthrough
}

// always injects a fault for good.
func always(f simulator.Fault) func(*simulator.Plug) {
	return func(p *simulator.Plug) { p.Inject(f) }
}

// kinds are the rows of the table in docs/troubleshooting.md.
func kinds() []kind {
	const (
		klap = "KLAP"
		tpap = "TPAP"
		old  = "securePassthrough"
	)
	ofType := func(name, kind string) *simulator.Plug {
		m := simulator.S505
		m.Name, m.Type = name, kind
		return &simulator.Plug{Model: m}
	}
	withoutRelay := ofType("X100", "SMART.TAPONEW")
	withoutRelay.Model.NoRelay = true
	const setUp, setUpPassword = "test@tp-link.net", "test"
	return []kind{
		{device: "Tapo plug, firmware 1.4 or later, Third-Party Compatibility off", answers: tpap, plug: &simulator.Plug{Model: simulator.P110TPAP}},
		{device: "The same, Third-Party Compatibility on", answers: klap, plug: &simulator.Plug{Model: simulator.P110Compatible}},
		{
			device: "The same, not reached by the switch", answers: "KLAP is refused with HTTP status 403, TPAP is not offered",
			plug:    &simulator.Plug{Model: simulator.P110Compatible},
			prepare: always(simulator.Fault{Kind: simulator.Status, Status: http.StatusForbidden, Path: "/app/handshake1"}),
		},
		{
			device: "New firmware that announces AES (TP15 1.4.2)", answers: "KLAP is answered with an HTML page",
			plug:    &simulator.Plug{Model: simulator.P110Compatible},
			prepare: always(simulator.Fault{Kind: simulator.HTML, Path: "/app/handshake1"}),
		},
		{device: "Tapo plug, firmware from the middle of 2023 to 1.3", answers: klap, plug: &simulator.Plug{}},
		{device: "Tapo plug, older firmware, with `allow_passthrough`", answers: old, plug: &simulator.Plug{Model: simulator.P110Passthrough}, allowed: true},
		{device: "The same, without `allow_passthrough`", answers: old, plug: &simulator.Plug{Model: simulator.P110Passthrough}},
		{device: "Plug without a meter", answers: klap, plug: &simulator.Plug{Model: simulator.P105}},
		{device: "Strip", answers: klap, plug: &simulator.Plug{Model: simulator.P304M}},
		{device: "Switch", answers: klap, plug: &simulator.Plug{Model: simulator.S505}},
		{device: "Dimmer", answers: klap, plug: &simulator.Plug{Model: simulator.P135}},
		{device: "Bulb", answers: klap, plug: &simulator.Plug{Model: simulator.L530}},
		{device: "Hub with sensors", answers: klap, plug: &simulator.Plug{Model: simulator.H100}},
		{device: "Device of a new type, with a relay", answers: klap, plug: ofType("X200", "SMART.TAPONEW")},
		{device: "Device of a new type, without one", answers: klap, plug: withoutRelay},
		{device: "Plug in set-up mode, KLAP", answers: "KLAP with set-up credentials", plug: &simulator.Plug{Username: setUp, Password: setUpPassword}},
		{
			device: "Plug in set-up mode, TPAP", answers: "TPAP with a passcode that its MAC address gives away",
			plug: &simulator.Plug{Model: simulator.P110TPAP, Username: setUp, Password: setUpPassword, TPAP: simulator.TPAPOptions{Pake: []int{0}}},
		},
		{
			device: "Plug in set-up mode, securePassthrough", answers: "securePassthrough with set-up credentials",
			plug: &simulator.Plug{Model: simulator.P110Passthrough, Username: setUp, Password: setUpPassword}, allowed: true,
		},
		{
			device: "Plug whose account is out of date, TPAP", answers: "TPAP with a login in which the password takes no part",
			plug: &simulator.Plug{Model: simulator.P110TPAP, TPAP: simulator.TPAPOptions{ExtraCrypt: `{"type":"password_shadow","params":{"passwd_id":3}}`}},
		},
		{device: "Plug of another account", answers: "KLAP with other credentials", plug: &simulator.Plug{Username: "somebody@example.com", Password: "else"}},
		{device: "Plug that gets too many requests", answers: "HTTP status 429", plug: &simulator.Plug{}, prepare: always(simulator.Fault{Kind: simulator.Status, Status: http.StatusTooManyRequests})},
		{device: "Kasa plug of the older generation, KLAP v1", answers: "KLAP with the hashes of old Kasa firmware", plug: &simulator.Plug{KLAPVersion1: true}},
		{
			device: "Kasa plug of the older generation, KLAP v2", answers: "KLAP, and `{}` to every method", plug: &simulator.Plug{},
			prepare: always(simulator.Fault{Kind: simulator.Says, Text: "{}", Path: "/app/request"}),
		},
		{device: "Camera", answers: "HTTPS only", other: startCamera},
		{device: "Another host with a web page", answers: "An HTML page", other: startWebPage},
		{device: "No host, or one that does not listen", answers: "The connection is refused", other: closedPort},
	}
}

// startCamera starts a server that replies to HTTP as a TLS server does, with the alert
// unexpected_message.
func startCamera(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1024))
			_, _ = conn.Write([]byte{21, 3, 1, 0, 2, 2, 10})
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func startWebPage(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><title>Router</title></html>")
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// closedPort returns an address at which no other test listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.104.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return l.Addr().String()
}

// TestKindsDocumentation: the table in docs/troubleshooting.md is what probes of each kind
// of device return. -update writes it.
func TestKindsDocumentation(t *testing.T) {
	t.Parallel()
	rows := kinds()
	lines := make([]string, len(rows))
	t.Run("kinds", func(t *testing.T) {
		for i, k := range rows {
			t.Run(k.device, func(t *testing.T) {
				t.Parallel()
				lines[i] = k.row(t)
			})
		}
	})
	table := "| Device | What it answers | Read over | `tapo_up` | `reason` | Outlets |\n|---|---|---|---|---|---|\n" + strings.Join(lines, "")
	compareMadeTable(t, "../docs/troubleshooting.md", "TestKindsDocumentation", table)
}

var (
	protocolLabel = regexp.MustCompile(`(?m)^tapo_device_info\{.*protocol="(\w+)"`)
	reasonLabel   = regexp.MustCompile(`(?m)^tapo_probe_failure_info\{reason="(\w+)"\} 1$`)
	upValue       = regexp.MustCompile(`(?m)^tapo_up ([01])$`)
	anOutlet      = regexp.MustCompile(`(?m)^tapo_outlet_info\{`)
	aValue        = regexp.MustCompile(`(?m)^tapo_(outlet|power|energy|voltage)_`)
)

// row probes the device and returns its line of the table.
func (k kind) row(t *testing.T) string {
	t.Helper()
	var address string
	if k.plug == nil {
		address = k.other(t)
	} else {
		k.plug.Name = k.device
		if startPlug(t, k.plug); k.prepare != nil {
			k.prepare(k.plug)
		}
		address = k.plug.Addr().String()
	}
	h := newHome(t, auths+fmt.Sprintf("targets: [{name: a, address: %q, allow_passthrough: %t}]\n", address, k.allowed))
	text := h.probed("a")
	up, reason := firstOf(upValue, text), firstOf(reasonLabel, text)
	outlets := len(anOutlet.FindAllString(text, -1))
	switch {
	case (up == "1") != (reason == ""), up == "":
		t.Errorf("tapo_up %q with the reason %q:\n%s", up, reason, text)
	case up == "0" && aValue.MatchString(text):
		t.Errorf("values of a device that was not read:\n%s", text)
	case up == "1" && !strings.Contains(text, "tapo_device_info{device_id=\"8022"):
		t.Errorf("no device was read:\n%s", text)
	}
	if reason != "" {
		reason = "[`" + reason + "`](#" + reason + ")"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %d |\n", k.device, k.answers, cmp.Or(firstOf(protocolLabel, text), "–"), up, cmp.Or(reason, "–"), outlets)
}

// firstOf returns the first group of the first match, "" if there is none.
func firstOf(re *regexp.Regexp, text string) string {
	if m := re.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}
