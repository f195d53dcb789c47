// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package demo is a home with simulated plugs of every protocol, whose loads
// change over time. --demo serves it, and tests of dashboards and pages use it.
package demo

import (
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// The account of the plugs.
const (
	Auth     = "demo"
	Username = "demo@example.com"
	Password = "demo-password"
)

// Appliance is something that is plugged into a simulated plug.
type Appliance struct {
	Name   string            // of the target
	Labels map[string]string // of the target
	Plug   *simulator.Plug
}

// Home returns all appliances. Their plugs are not started yet.
func Home() []Appliance {
	var all []Appliance
	add := func(name, title, room, kind string, plug *simulator.Plug) {
		plug.Name, plug.Username, plug.Password = title, Username, Password
		plug.Region, plug.Latency = "Europe/Berlin", 25*time.Millisecond
		plug.LenientSequence = true // clients that count from another number read real plugs, so they read these
		labels := map[string]string{"room": room}
		if kind != "" {
			labels["appliance"] = kind
		}
		all = append(all, Appliance{name, labels, plug})
	}
	add("kettle", "Kettle", "kitchen", "", &simulator.Plug{Model: simulator.P110Compatible, Load: simulator.Kettle()})
	add("fridge", "Fridge", "kitchen", "fridge", &simulator.Plug{Model: simulator.P110NoEmeter, Load: simulator.Fridge()})
	add("washing-machine", "Washing machine", "cellar", "washing-machine", &simulator.Plug{Model: simulator.P110Passthrough, Load: simulator.WashingMachine()})
	add("tv", "TV", "living room", "", &simulator.Plug{Model: simulator.P115, Load: simulator.TV()})
	add("desk", "Desk", "office", "", &simulator.Plug{Model: simulator.P110TPAP, Load: simulator.Computer()})
	add("freezer", "Freezer", "cellar", "freezer", &simulator.Plug{Model: simulator.P110TPAP, Load: later(simulator.Fridge(), 17*time.Minute)})
	add("hallway-lamp", "Hallway lamp", "hallway", "", &simulator.Plug{Model: simulator.P100Passthrough})
	add("porch-lights", "Porch lights", "outside", "", &simulator.Plug{Model: simulator.P105, Off: true})
	add("hi-fi", "", "living room", "", &simulator.Plug{Model: simulator.P304M, Outlets: []simulator.Outlet{
		{Name: "Amplifier", Load: later(simulator.TV(), 25*time.Minute)},
		{Name: "Turntable", Off: true},
		{Name: "Router", Load: simulator.Constant(9.4)},
		{Name: "Charger", Load: simulator.Constant(0.4)},
	}})
	add("balcony", "Balcony", "balcony", "always-on", &simulator.Plug{Model: simulator.P410M, Load: simulator.Balcony()})
	return all
}

// later shifts a load in time, so that two of a kind do not run in step.
func later(l simulator.Load, shift time.Duration) simulator.Load {
	return simulator.LoadFunc(func(at time.Time) float64 { return l.Watts(at.Add(-shift)) })
}

// Config returns a configuration with appliances whose plugs have been started.
func Config(all []Appliance) *config.Config {
	c := &config.Config{Auths: map[string]config.Auth{Auth: {Username: Username, Password: Password}}}
	for _, a := range all {
		c.Targets = append(c.Targets, config.Target{
			Name: a.Name, Address: a.Plug.Addr().String(), Auth: Auth, Credentials: tapo.Credentials{Username: Username, Password: Password},
			Labels: a.Labels, AllowPassthrough: a.Plug.Model.Protocol == simulator.Passthrough,
		})
	}
	return c
}
