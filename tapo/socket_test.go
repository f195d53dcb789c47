// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestRefusedForNow: what a strip has answered before it is asked again, soon.
func TestRefusedForNow(t *testing.T) {
	for _, code := range []int{-1, -1001, -1002, -1008, -1301} {
		synctest.Test(t, func(t *testing.T) {
			h := plugtest.NewHome(t, simulator.P304M)
			h.Reason(h.Device)
			for _, method := range []string{"get_child_device_list", "control_child", "2/get_energy_usage"} {
				h.Plug.Refuse(method, code)
				h.Reason(h.Device)
				h.Plug.Refuse(method, 0)
				time.Sleep(15 * time.Second)
				if r, err := h.Read(h.Device); err != nil || len(r.Outlets) != 4 {
					t.Errorf("%s, code %d: %v, %d sockets", method, code, err, len(r.Outlets))
				}
				time.Sleep(11 * time.Minute)
				r, err := h.Read(h.Device)
				if err != nil || len(r.Outlets) != 4 {
					t.Fatalf("%s, code %d: %v, %d sockets", method, code, err, len(r.Outlets))
				}
				for i, o := range r.Outlets {
					if _, has := o.EnergyMonth.Get(); !has {
						t.Errorf("%s, code %d: socket %d has no energy", method, code, i+1)
					}
				}
			}
		})
	}
}

// TestBusySockets are left out of one read, and take batches after that.
func TestBusySockets(t *testing.T) {
	for _, tc := range []struct {
		method string
		code   int
		warm   int // requests of later reads
	}{
		{"1/multipleRequest", -1301, 7}, {"control_child", -1301, 7}, {"1/multipleRequest", -1003, 8}, {"1/multipleRequest", -1, 8},
	} {
		p := strip(t, simulator.P316M)
		p.Refuse(tc.method, tc.code)
		d := plugtest.Device(t, p)
		plugtest.Read(t, d)
		p.Refuse(tc.method, 0)
		plugtest.Read(t, d)
		if got := plugtest.Requests(p, func() { checkOutlets(t, plugtest.Read(t, d), simulator.P316M, true) }); got != tc.warm {
			t.Errorf("%s, code %d: %d requests, want %d", tc.method, tc.code, got, tc.warm)
		}
	}
}

// TestOuterRefusal: control_child itself refuses a batch, and takes one method.
func TestOuterRefusal(t *testing.T) {
	p := strip(t, simulator.P316M)
	p.Refuse("control_child multipleRequest", -1003)
	d := plugtest.Device(t, p)
	plugtest.Read(t, d)
	plugtest.Read(t, d)
	checkOutlets(t, plugtest.Read(t, d), simulator.P316M, true)
}

// TestRefusedPage: what the first page has stays.
func TestRefusedPage(t *testing.T) {
	for _, code := range []int{-1, -1001, -1008} {
		m := simulator.P300
		m.Strip = &simulator.Strip{Outlets: 13, Components: m.Strip.Components}
		p := strip(t, m)
		p.Refuse("get_child_device_list from 10", code)
		d := plugtest.Device(t, p)
		for i := range 3 {
			if got := len(plugtest.Read(t, d).Outlets); got != 10 {
				t.Errorf("code %d, read %d: %d sockets", code, i, got)
			}
		}
		p.Refuse("get_child_device_list from 10", 0)
		if got := len(plugtest.Read(t, d).Outlets); got != 13 {
			t.Errorf("code %d: %d sockets", code, got)
		}
	}
}

// TestNumbersStay: a socket without a position keeps its number while another is
// missing.
func TestNumbersStay(t *testing.T) {
	list := func(entries ...string) string {
		return fmt.Sprintf(`{"child_device_list":[%s],"start_index":0,"sum":%d}`, strings.Join(entries, ","), len(entries))
	}
	p := strip(t, simulator.P300)
	d := plugtest.Device(t, p)
	for _, tc := range []struct {
		list string
		want []int
	}{
		{list(child("a", ""), child("b", ""), child("c", "")), []int{1, 2, 3}},
		{list(child("c", ""), child("b", "")), []int{2, 3}},
		{list(child("d", ""), child("c", ""), child("b", ""), child("a", "")), []int{1, 2, 3, 4}},
	} {
		p.Answer("get_child_device_list", tc.list)
		var got []int
		for _, o := range plugtest.Read(t, d).Outlets {
			got = append(got, o.Number)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%v, want %v", got, tc.want)
		}
	}
}

// TestWholeWattsInstead: where get_emeter_data is refused, whatever the code, and
// get_energy_usage as well, there is get_current_power.
func TestWholeWattsInstead(t *testing.T) {
	for _, code := range []int{-1, -1001, -1002, -1301, -1601, -2201} {
		p := plugtest.Start(t, &simulator.Plug{Model: simulator.P110M, Load: simulator.Constant(60)})
		p.Refuse("get_energy_usage", code)
		p.Refuse("get_emeter_data", code)
		if power, has := plugtest.Read(t, plugtest.Device(t, p)).Outlets[0].Power.Get(); !has || power != 60 {
			t.Errorf("code %d: %v, %t", code, power, has)
		}
	}
}

// TestWhatTheListSays counts where a socket does not say it itself: its state by
// another name, and the limit of its protection.
func TestWhatTheListSays(t *testing.T) {
	p := strip(t, simulator.P300)
	p.Answer("get_child_device_list", `{"child_device_list":[{"device_id":"a","position":1,"on_off":1},{"device_id":"b","position":2,"on_off":0},{"device_id":"c","position":3}],"sum":3}`)
	var got []string
	for _, o := range plugtest.Read(t, plugtest.Device(t, p)).Outlets {
		on, known := o.On.Get()
		got = append(got, fmt.Sprint(on, known))
	}
	if want := []string{"true true", "false true", "false false"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	p = strip(t, simulator.P304M)
	p.Refuse("1/get_protection_power", -1002)
	if limit, has := plugtest.Read(t, plugtest.Device(t, p)).Outlets[0].PowerLimit.Get(); !has || limit != 2960 {
		t.Errorf("limit %v, %t", limit, has)
	}
}
