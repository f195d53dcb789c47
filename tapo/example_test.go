// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func Example() {
	plug := &simulator.Plug{Name: "Kettle", Username: "me@example.com", Password: "secret", Load: simulator.Constant(2000)}
	if err := plug.Start(); err != nil {
		panic(err)
	}
	defer plug.Close()

	device, err := tapo.New(tapo.Config{
		Address:     plug.Addr().String(), // of a real plug: its IP address
		Credentials: tapo.Credentials{Username: "me@example.com", Password: "secret"},
	})
	if err != nil {
		panic(err)
	}
	defer device.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	reading, err := device.Read(ctx)
	if failed, ok := errors.AsType[*tapo.Error](err); ok {
		fmt.Println(failed.Reason, failed.Advice)
		return
	}
	for _, outlet := range reading.Outlets {
		if watts, ok := outlet.Power.Get(); ok {
			fmt.Printf("%s draws %.1f W\n", reading.Info.Name, watts)
		}
	}
	// Output: Kettle draws 2000.0 W
}

func ExampleDevice_EnergyHistory() {
	plug := &simulator.Plug{Name: "Router", Username: "me@example.com", Password: "secret", Load: simulator.Constant(10), Region: "Europe/Berlin"}
	if err := plug.Start(); err != nil {
		panic(err)
	}
	defer plug.Close()

	device, err := tapo.New(tapo.Config{
		Address:     plug.Addr().String(),
		Credentials: tapo.Credentials{Username: "me@example.com", Password: "secret"},
	})
	if err != nil {
		panic(err)
	}
	defer device.Close()
	to := time.Now()
	months, err := device.EnergyHistory(context.Background(), 1, tapo.Monthly, to.AddDate(-1, 0, 0), to)
	if failed, ok := errors.AsType[*tapo.Error](err); ok {
		fmt.Println(failed.Reason, failed.Advice)
		return
	}
	for _, m := range months {
		if !m.InProgress && m.Start.AddDate(0, 0, 1).Month() == time.July {
			fmt.Printf("%.2f kWh in July\n", m.Joules/3.6e6)
		}
	}
	// Output: 7.44 kWh in July
}
