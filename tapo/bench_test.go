// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// BenchmarkBareExchange is the yardstick: an HTTP exchange with bodies of the
// sizes of a warm read's, between net/http's client and server.
func BenchmarkBareExchange(b *testing.B) {
	for _, size := range []struct {
		protocol       string
		request, reply int
	}{{"klap", 256, 1168}, {"passthrough", 310, 1320}} {
		b.Run(size.protocol, func(b *testing.B) {
			request, reply := make([]byte, size.request), make([]byte, size.reply)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = w.Write(reply)
			}))
			defer server.Close()
			b.ReportAllocs()
			for b.Loop() {
				resp, err := server.Client().Post(server.URL, "application/octet-stream", bytes.NewReader(request))
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
}

// BenchmarkRead reads a simulated plug whose answers take no time; what the
// simulator does is included.
func BenchmarkRead(b *testing.B) {
	for _, m := range []simulator.Model{simulator.P110, simulator.P110TPAP, simulator.P110Passthrough} {
		p := plugtest.Start(b, &simulator.Plug{Model: m, Load: simulator.Constant(60)})
		b.Run(m.Protocol.String()+"/warm", func(b *testing.B) {
			d := plugtest.Device(b, p)
			plugtest.Read(b, d)
			before := p.Stats().Requests
			b.ReportAllocs()
			for b.Loop() {
				plugtest.Read(b, d)
			}
			b.ReportMetric(float64(p.Stats().Requests-before)/float64(b.N), "roundtrips/op")
		})
		b.Run(m.Protocol.String()+"/cold", func(b *testing.B) {
			before := p.Stats().Requests
			b.ReportAllocs()
			for b.Loop() {
				d, err := tapo.New(tapo.Config{Address: p.Addr().String(), Credentials: plugtest.Credentials, AllowPassthrough: true})
				if err != nil {
					b.Fatal(err)
				}
				plugtest.Read(b, d)
				d.Close()
			}
			b.ReportMetric(float64(p.Stats().Requests-before)/float64(b.N), "roundtrips/op")
		})
	}
}
