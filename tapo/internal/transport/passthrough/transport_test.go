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

// TestOtherCredentialsStartHashed: which login a plug took is forgotten with other
// credentials, also if the former ones come back.
func TestOtherCredentialsStartHashed(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{Model: simulator.P100Old})
	d := plugtest.Device(t, p)
	plugtest.Read(t, d)
	for _, tc := range []struct {
		password tapo.Secret
		failures int
	}{{"other", 2}, {plugtest.Password, 1}} {
		next := plugtest.Device(t, p, func(c *tapo.Config) { c.Credentials.Password = tc.password })
		next.Replace(d)
		d = next
		before := p.Stats().LoginFailures
		_, _ = d.Read(t.Context())
		if got := p.Stats().LoginFailures - before; got != tc.failures {
			t.Errorf("password %q: %d refused logins, want %d: the hashed one comes first", string(tc.password), got, tc.failures)
		}
	}
}

// TestNewerFirmwareBetweenLogins: a plug that names a newer protocol between the two
// logins of one attempt is not sent the password again.
func TestNewerFirmwareBetweenLogins(t *testing.T) {
	for _, pin := range []tapo.Protocol{"", tapo.Passthrough} {
		p := plugtest.Start(t, &simulator.Plug{Model: simulator.P110Passthrough})
		p.Refuse("login_device", -1501)
		handshakes, logins := 0, 0
		d := plugtest.Device(t, p, func(c *tapo.Config) {
			c.Protocol = pin
			c.Trace.Exchange = func(e tapo.Exchange) {
				switch e.Step {
				case "handshake":
					handshakes++
				case "login_device":
					logins++
					p.SetModel(simulator.P110TPAP)
				}
			}
		})
		plugtest.Fails(t, d, tapo.Unsupported)
		if handshakes != 2 || logins != 1 {
			t.Errorf("pinned to %q: %d handshakes, %d logins", pin, handshakes, logins)
		}
	}
}
