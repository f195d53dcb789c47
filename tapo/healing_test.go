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
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/klap"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestRivalClient logs in between any two of our reads.
func TestRivalClient(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P110, simulator.P110Passthrough} {
		p := plugtest.Start(t, &simulator.Plug{Model: m})
		ours, rival := plugtest.Device(t, p), plugtest.Device(t, p)
		plugtest.Read(t, ours)
		for range 5 {
			plugtest.Read(t, rival)
			if got := plugtest.Requests(p, func() { plugtest.Read(t, ours) }); got != 4 {
				t.Errorf("%s: %d requests, want 4", m.Protocol, got)
			}
		}
	}
}

func TestSessionIsRenewedInTime(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P110, simulator.P110TPAP, simulator.P110Passthrough} {
		now := time.Now()
		clock := func() time.Time { return now }
		p := plugtest.Start(t, &simulator.Plug{Model: m, SessionLifetime: time.Hour, Now: clock})
		lost := 0
		d := plugtest.Device(t, p, func(c *tapo.Config) {
			c.Now = clock
			c.Trace.SessionLost = func(tapo.Protocol) { lost++ }
		})
		plugtest.Read(t, d)
		now = now.Add(58 * time.Minute)
		if got := plugtest.Requests(p, func() { plugtest.Read(t, d) }); got != 1 {
			t.Errorf("%s: %d requests before the end", m.Protocol, got)
		}
		now = now.Add(90 * time.Second)
		if got := plugtest.Requests(p, func() { plugtest.Read(t, d) }); got != 3 {
			t.Errorf("%s: %d requests at the end, want 3", m.Protocol, got)
		}
		if lost != 0 {
			t.Errorf("%s: %d sessions lost", m.Protocol, lost)
		}
	}
}

// TestSecretsStayInside looks for everything secret in everything that comes
// out: logs at debug level, errors, advices.
func TestSecretsStayInside(t *testing.T) {
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
