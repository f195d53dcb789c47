// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package passthrough_test

import (
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestLoginVersions: the password in clear goes only to a plug that refuses it
// hashed, and never to one that has taken it hashed before.
func TestLoginVersions(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{Model: simulator.P110Passthrough})
	d := plugtest.Device(t, p)
	plugtest.Read(t, d)
	p.SetCredentials(plugtest.Username, "changed")
	plugtest.Fails(t, d, tapo.BadCredentials)
	if s := p.Stats(); s.ClearLogins != 0 || s.LoginFailures != 1 {
		t.Errorf("version 2: %d logins in clear, %d failed", s.ClearLogins, s.LoginFailures)
	}
	for _, m := range []simulator.Model{simulator.P100Old, simulator.P110Old} {
		p := plugtest.Start(t, &simulator.Plug{Model: m})
		d := plugtest.Device(t, p)
		plugtest.Read(t, d)
		if s := p.Stats(); s.ClearLogins != 1 || s.LoginFailures != 1 || s.Logins != 1 {
			t.Errorf("%s: %+v", m.Firmware, s)
		}
		p.LoseSession()
		plugtest.Read(t, d)
		if s := p.Stats(); s.LoginFailures != 1 || s.Logins != 2 {
			t.Errorf("%s, second login: %+v", m.Firmware, s)
		}
	}
}

// TestPasswordInClear: an error that does not speak of the credentials is no
// reason to send them in clear.
func TestPasswordInClear(t *testing.T) {
	for code, want := range map[int]tapo.Reason{
		9999: tapo.SessionStolen, 1001: tapo.PlugError, 1112: tapo.PlugError, -1: tapo.PlugError, -1001: tapo.PlugError,
		-1301: tapo.PlugError, -2101: tapo.PlugError,
	} {
		p := plugtest.Start(t, &simulator.Plug{Model: simulator.P110Old})
		p.Refuse("login_device", code)
		d := plugtest.Device(t, p)
		plugtest.Fails(t, d, want)
		if s := p.Stats(); s.ClearLogins != 0 {
			t.Errorf("error_code %d: %d logins in clear", code, s.ClearLogins)
		}
		p.Refuse("login_device", 0)
		plugtest.Read(t, d)
	}
}
