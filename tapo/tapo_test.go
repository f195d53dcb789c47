// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/klap"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestTrace(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{})
	var log []string
	d := plugtest.Device(t, p, func(c *tapo.Config) {
		c.Trace = tapo.Trace{
			Exchange:    func(e tapo.Exchange) { log = append(log, fmt.Sprintf("%s %t", e.Protocol, e.Took > 0)) },
			Login:       func(p tapo.Protocol) { log = append(log, "login "+string(p)) },
			LoginFailed: func(p tapo.Protocol, r tapo.Reason) { log = append(log, "failed "+string(p)+" "+string(r)) },
			SessionLost: func(p tapo.Protocol) { log = append(log, "lost "+string(p)) },
		}
	})
	if d.Protocol() != "" {
		t.Errorf("a session %q before the first read", d.Protocol())
	}
	plugtest.Read(t, d)
	if d.Protocol() != tapo.KLAP {
		t.Errorf("protocol %q", d.Protocol())
	}
	p.LoseSession()
	plugtest.Read(t, d)
	p.SetCredentials("other@example.com", "x")
	plugtest.Fails(t, d, tapo.BadCredentials)
	want := []string{
		"tpap true", "klap true", "klap true", "login klap", "klap true",
		"klap true", "lost klap", "klap true", "klap true", "login klap", "klap true",
		"klap true", "lost klap", "klap true", "failed klap bad_credentials",
	}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestNewChecksItsConfiguration(t *testing.T) {
	for _, bad := range []tapo.Config{
		{},
		{Address: "http://192.168.1.20"},
		{Address: "192.168.1.20/x"},
		{Address: "192.168.1.20:0"},
		{Address: "192.168.1.20:65536"},
		{Address: "192.168.1.20:http"},
		{Address: "user@plug"},
		{Address: "a b"},
		{Address: ":80"},
		{Address: "1:2:3:xyz"},
		{Address: "192.168.1.300"},
		{Address: "192.168.1"},
		{Address: "plug", Protocol: "aes"},
	} {
		if _, err := tapo.New(bad); err == nil {
			t.Errorf("accepted %+v", bad)
		}
	}
}

// TestSecretsStayInside looks for everything secret in everything that comes
// out: logs at debug level, errors, advices.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	const secret = "Sup3r-Secret/p@ss"
	for _, m := range simulator.Models() {
		for _, bound := range []string{secret, "other"} {
			var out bytes.Buffer
			p := plugtest.Start(t, &simulator.Plug{
				Model: m, Username: plugtest.Username, Password: bound, TPAP: simulator.TPAPOptions{Token: "t0ken!of*the~session"},
			})
			p.Inject(simulator.Fault{Kind: simulator.Status, Status: 500, Path: "/app/request", Skip: 3, Times: 1})
			p.Inject(simulator.Fault{Kind: simulator.Reset, Path: "/ds", Skip: 1, Times: 1})
			p.Inject(simulator.Fault{Kind: simulator.Garble, Path: "/ds", Skip: 3, Times: 1})
			d := plugtest.Device(t, p, func(c *tapo.Config) {
				c.Credentials.Password = secret
				c.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			for range 6 {
				r, err := d.Read(t.Context())
				fmt.Fprintf(&out, "%+v %v %#v\n", r, err, err)
			}
			cfg := tapo.Credentials{Username: plugtest.Username, Password: secret}
			fmt.Fprintf(&out, "%v %+v %#v %s %x %q\n", cfg, cfg, cfg, cfg, cfg, cfg)
			hashed := passthrough.LoginHashed.Params(plugtest.Username, secret).Password2
			rawHashed, err := base64.StdEncoding.DecodeString(hashed)
			if err != nil {
				t.Fatal(err)
			}
			for what, s := range map[string]string{
				"password":         secret,
				"base64":           base64.StdEncoding.EncodeToString([]byte(secret)),
				"hex":              hex.EncodeToString([]byte(secret)),
				"SHA-1":            string(rawHashed),
				"hex SHA-1":        hex.EncodeToString(rawHashed),
				"TPAP token":       "t0ken",
				"TPAP path":        "stok=",
				"base64 SHA-1":     hashed,
				"auth hash":        hex.EncodeToString(klap.V2.AuthHash(plugtest.Username, secret)),
				"cookie":           "TP_SESSIONID",
				"token":            "token",
				"auth hash, bytes": string(klap.V2.AuthHash(plugtest.Username, secret)),
			} {
				if strings.Contains(strings.ToLower(out.String()), strings.ToLower(s)) {
					t.Errorf("%s %s: the %s is in the output:\n%s", m.Name, m.Firmware, what, out.String())
				}
			}
			if !strings.Contains(out.String(), "handshake") && !strings.Contains(out.String(), "pake_share") {
				t.Error("no log line arrived: this test looks at nothing")
			}
		}
	}
}
