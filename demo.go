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
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// The account of the simulated plugs.
const (
	demoAuth     = "demo"
	demoUsername = "demo@example.com"
	demoPassword = "demo-password"
)

// demo is a household of simulated plugs.
type demo struct {
	plugs  []*simulator.Plug
	names  []string // of the targets, in the order of the plugs
	config *config.Config
}

func startDemo() (*demo, error) {
	credentials := tapo.Credentials{Username: demoUsername, Password: demoPassword}
	d := &demo{config: &config.Config{
		Auths: map[string]config.Auth{demoAuth: {Username: demoUsername, Password: demoPassword}},
	}}
	for _, appliance := range []struct {
		name, title, room string
		model             simulator.Model
		load              simulator.Load
		off               bool
		sockets           []simulator.Socket
	}{
		{"kettle", "Kettle", "kitchen", simulator.P110Compatible, simulator.Kettle(), false, nil},
		{"fridge", "Fridge", "kitchen", simulator.P110NoEmeter, simulator.Fridge(), false, nil},
		{"washing-machine", "Washing machine", "cellar", simulator.P110Passthrough, simulator.WashingMachine(), false, nil},
		{"tv", "TV", "living room", simulator.P115, simulator.TV(), false, nil},
		{"desk", "Desk", "office", simulator.P110TPAP, simulator.Computer(), false, nil},
		{"freezer", "Freezer", "cellar", simulator.P110TPAP, later(simulator.Fridge(), 17*time.Minute), false, nil},
		{"hallway-lamp", "Hallway lamp", "hallway", simulator.P100Passthrough, nil, false, nil},
		{"porch-lights", "Porch lights", "outside", simulator.P105, nil, true, nil},
		{"hi-fi", "", "living room", simulator.P304M, nil, false, []simulator.Socket{
			{Name: "Amplifier", Load: later(simulator.TV(), 25*time.Minute)},
			{Name: "Turntable", Off: true},
			{Name: "Router", Load: simulator.Constant(9.4)},
			{Name: "Charger", Load: simulator.Constant(0.4)},
		}},
	} {
		plug := &simulator.Plug{
			Model: appliance.model, Name: appliance.title, Username: demoUsername, Password: demoPassword,
			Region: "Europe/Berlin", Load: appliance.load, Off: appliance.off, Sockets: appliance.sockets, Latency: 25 * time.Millisecond,
		}
		if err := plug.Start(); err != nil {
			d.close()
			return nil, fmt.Errorf("simulated plug: %w", err)
		}
		d.plugs, d.names = append(d.plugs, plug), append(d.names, appliance.name)
		d.config.Targets = append(d.config.Targets, config.Target{
			Name: appliance.name, Address: plug.Addr().String(), Auth: demoAuth, Credentials: credentials,
			Labels:           map[string]string{"room": appliance.room},
			AllowPassthrough: appliance.model.Protocol == simulator.Passthrough,
		})
	}
	return d, nil
}

func (d *demo) close() {
	for _, p := range d.plugs {
		p.Close()
	}
}

// handler reads all plugs whenever somebody looks at the page, as Prometheus
// would at other times, so that it shows living values without one. Otherwise
// the plugs are left to whoever else tries them: each keeps one session.
func (d *demo) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			var group sync.WaitGroup
			for _, name := range d.names {
				probe := r.Clone(r.Context())
				probe.URL = &url.URL{Path: "/probe", RawQuery: url.Values{"target": {name}}.Encode()}
				group.Go(func() { next.ServeHTTP(discard{}, probe) })
			}
			group.Wait()
		}
		next.ServeHTTP(w, r)
	})
}

// later shifts a load in time, so that two of a kind do not run in step.
func later(l simulator.Load, shift time.Duration) simulator.Load {
	return simulator.LoadFunc(func(at time.Time) float64 { return l.Watts(at.Add(-shift)) })
}

// discard is an http.ResponseWriter for an answer that nobody reads.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// welcome prints where everything is.
func (d *demo) welcome(w io.Writer, listening net.Addr) {
	at := listening.String()
	if host, port, err := net.SplitHostPort(at); err == nil && net.ParseIP(host).IsUnspecified() {
		at = net.JoinHostPort("localhost", port)
	}
	fmt.Fprintf(w, "Simulated plugs, of the account %s with the password %s:\n\n", demoUsername, demoPassword)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, p := range d.plugs {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", d.names[i], p.Model.Name, p.Addr(), p.Model.Protocol)
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
`, at, d.names[0])
}
