// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"text/tabwriter"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/internal/demo"
)

// demoHome is the simulated plugs of --demo.
type demoHome struct {
	appliances []demo.Appliance
	config     *config.Config
}

func startDemo() (*demoHome, error) {
	h := &demoHome{}
	for _, a := range demo.Home() {
		if err := a.Plug.Start(); err != nil {
			h.close()
			return nil, fmt.Errorf("simulated plug: %w", err)
		}
		h.appliances = append(h.appliances, a)
	}
	h.config = demo.Config(h.appliances)
	return h, nil
}

func (h *demoHome) close() {
	for _, a := range h.appliances {
		a.Plug.Close()
	}
}

// handler reads all plugs when the status page is loaded, so that it shows values
// without a Prometheus. It leaves the plugs alone at other times: each keeps one
// session, and users try other clients on them.
func (h *demoHome) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			var group sync.WaitGroup
			for _, a := range h.appliances {
				probe := r.Clone(r.Context())
				probe.URL = &url.URL{Path: "/probe", RawQuery: url.Values{"target": {a.Name}}.Encode()}
				group.Go(func() { next.ServeHTTP(discard{}, probe) })
			}
			group.Wait()
		}
		next.ServeHTTP(w, r)
	})
}

// discard is an http.ResponseWriter that drops what it is given.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// welcome prints the addresses of the plugs and of the pages.
func (h *demoHome) welcome(w io.Writer, listening net.Addr) {
	at := listening.String()
	if host, port, err := net.SplitHostPort(at); err == nil && net.ParseIP(host).IsUnspecified() {
		at = net.JoinHostPort("localhost", port)
	}
	fmt.Fprintf(w, "Simulated plugs, of the account %s with the password %s:\n\n", demo.Username, demo.Password)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, a := range h.appliances {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", a.Name, a.Plug.Model.Name, a.Plug.Addr(), a.Plug.Model.Protocol)
	}
	_ = table.Flush() // w is what Fprintf has written to already
	fmt.Fprintf(w, `
All plugs:           http://%[1]s/
One plug's metrics:  http://%[1]s/probe?target=%[2]s
For Prometheus, in prometheus.yml:

scrape_configs:
  - job_name: tapo
    http_sd_configs:
      - url: http://%[1]s/sd
  - job_name: tapo_exporter
    static_configs:
      - targets: ['%[1]s']

Press Ctrl-C to stop.
`, at, h.appliances[0].Name)
}
