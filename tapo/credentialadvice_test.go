// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestAdviceOnMisspeltCredentials: one reply of the plug is enough to say what is wrong.
func TestAdviceOnMisspeltCredentials(t *testing.T) {
	for _, tc := range []struct {
		name         string
		plugUsername string
		plugPassword string
		version1     bool
		username     string
		password     tapo.Secret
		reason       tapo.Reason
		advice       string
	}{
		{"upper case configured", "user@example.com", "p", false, "User@Example.com", "p", tapo.BadCredentials, "lower case"},
		{"blank after the e-mail", "user@example.com", "p", false, "user@example.com ", "p", tapo.BadCredentials, "blanks around it: remove"},
		{"both", "user@example.com", "p", false, " User@example.com", "p", tapo.BadCredentials, "lower case and without the blanks"},
		{"line end after the password", "user@example.com", "p", false, "user@example.com", "p\n", tapo.BadCredentials, "password in the configuration has blanks"},
		{"everything", "user@example.com", "p", false, " User@example.com", "p ", tapo.BadCredentials, "The e-mail and the password"},
		{"upper case registered", "User@Example.com", "p", false, "user@example.com", "p", tapo.BadCredentials, "very spelling"},
		{"not bound", "", "", false, "user@example.com", "p", tapo.BadCredentials, "not bound"},
		{"set-up credentials", "test@tp-link.net", "test", false, "user@example.com", "p", tapo.BadCredentials, "not bound"},
		{"Kasa's set-up credentials", "kasa@tp-link.net", "kasaSetup", false, "user@example.com", "p", tapo.BadCredentials, "not bound"},
		{"KLAP v1", "user@example.com", "p", true, "user@example.com", "p", tapo.Unsupported, "Kasa dialect"},
		{"KLAP v1, not bound", "test@tp-link.net", "test", true, "user@example.com", "p", tapo.BadCredentials, "not bound"},
		{"wrong password", "user@example.com", "p", false, "user@example.com", "q", tapo.BadCredentials, "TP-Link account that owns the plug"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := &simulator.Plug{KLAPVersion1: tc.version1, Username: "x"}
			plugtest.Start(t, p)
			p.SetCredentials(tc.plugUsername, tc.plugPassword)
			d := plugtest.Device(t, p, func(c *tapo.Config) { c.Credentials = tapo.Credentials{Username: tc.username, Password: tc.password} })
			e := plugtest.Failure(t, d, tc.reason)
			if !strings.Contains(e.Advice, tc.advice) {
				t.Errorf("advice %q, want %q in it", e.Advice, tc.advice)
			}
			if s := p.Stats(); s.Steps["/app/handshake1"] != 1 || s.Steps["/app/handshake2"] != 0 {
				t.Errorf("requests %v", s.Steps)
			}
		})
	}
}

// TestAdviceOnCredentialsOverTPAP: what is wrong on such a plug cannot be the e-mail.
func TestAdviceOnCredentialsOverTPAP(t *testing.T) {
	for name, tc := range map[string]struct {
		options    simulator.TPAPOptions
		want, lack string
	}{
		"as in the field": {simulator.TPAPOptions{}, "The e-mail plays no part", "very spelling"},
		"with the e-mail": {simulator.TPAPOptions{ExtraCrypt: "null"}, "very spelling", "plays no part"},
	} {
		p := plugtest.Start(t, &simulator.Plug{Model: simulator.P110TPAP, TPAP: tc.options})
		p.SetCredentials("somebody@example.com", "other")
		e := plugtest.Failure(t, plugtest.Device(t, p), tapo.BadCredentials)
		if e.Protocol != tapo.TPAP || !strings.Contains(e.Advice, tc.want) || strings.Contains(e.Advice, tc.lack) {
			t.Errorf("%s: %s", name, e.Advice)
		}
		if !strings.Contains(e.Advice, "locks itself: 14.") || !strings.Contains(e.Error(), "-2203") {
			t.Errorf("%s: %v, %s", name, e, e.Advice)
		}
	}
	p := plugtest.Start(t, &simulator.Plug{Model: simulator.P110TPAP, TPAP: simulator.TPAPOptions{ExtraCrypt: `{"type":"password_shadow","params":{"passwd_id":3}}`}})
	if e := plugtest.Failure(t, plugtest.Device(t, p), tapo.BadCredentials); !strings.Contains(e.Advice, "out of date: open the plug in the Tapo app") {
		t.Errorf("the account is out of date: %s", e.Advice)
	}
}
