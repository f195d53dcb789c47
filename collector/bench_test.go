// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// BenchmarkBareExchange is the yardstick: an HTTP exchange between net/http's
// client and server, with bodies of the sizes that a warm read has over KLAP.
func BenchmarkBareExchange(b *testing.B) {
	request, reply := make([]byte, 256), make([]byte, 1168)
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
}

// BenchmarkProbe is a warm /probe: the whole handler, called directly, of a
// plug whose answers take no time; what the simulator does is included.
func BenchmarkProbe(b *testing.B) {
	for _, m := range []simulator.Model{simulator.P110, simulator.P110TPAP, simulator.P110Passthrough} {
		b.Run(m.Protocol.String(), func(b *testing.B) {
			p := startPlug(b, &simulator.Plug{Model: m, Load: simulator.Constant(60)})
			h := newHome(b, auths+"targets: [{name: a, address: '"+p.Addr().String()+"', allow_passthrough: true}]\n",
				func(o *Options) { o.HistoryLimit, o.Logger = 100, slog.New(slog.DiscardHandler) })
			request := httptest.NewRequest(http.MethodGet, "/probe?target=a", nil)
			request.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "10")
			request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"+
				"application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"+
				"text/plain;version=0.0.4;q=0.2,*/*;q=0.1") // what Prometheus sends
			request.Header.Set("Accept-Encoding", "gzip")
			body := bytes.NewBuffer(make([]byte, 0, 16<<10))
			probe := func() {
				body.Reset()
				w := httptest.NewRecorder()
				w.Body = body
				h.ServeHTTP(w, request)
				if !bytes.Contains(body.Bytes(), []byte("tapo_up 1")) {
					b.Fatalf("%s", body)
				}
			}
			probe()
			before := p.Stats().Requests
			b.ReportAllocs()
			for b.Loop() {
				probe()
			}
			b.ReportMetric(float64(p.Stats().Requests-before)/float64(b.N), "roundtrips/op")
		})
	}
}
