// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// strip starts a strip whose outlets draw 10 W, 20 W and so on, the second
// switched off.
func strip(t *testing.T, m simulator.Model) *simulator.Plug {
	t.Helper()
	p := &simulator.Plug{Model: m}
	for i := range m.Strip.Outlets {
		p.Outlets = append(p.Outlets, simulator.Outlet{Name: fmt.Sprintf("Outlet № %d", i+1), Load: simulator.Constant(10 * (i + 1)), Off: i == 1})
	}
	return plugtest.Start(t, p)
}

func checkOutlets(t *testing.T, r tapo.Reading, m simulator.Model, metered bool) {
	t.Helper()
	if len(r.Outlets) != m.Strip.Outlets {
		t.Fatalf("%d outlets: %+v", len(r.Outlets), r.Outlets)
	}
	for i, o := range r.Outlets {
		on, watts := i != 1, float64(10*(i+1))
		if !on {
			watts = 0
		}
		if o.Number != i+1 || o.Name != fmt.Sprintf("Outlet № %d", i+1) || o.On != tapo.Some(on) {
			t.Errorf("outlet %d: %+v", i+1, o)
		}
		_, hasEnergy := o.EnergyMonth.Get()
		_, hasVoltage := o.Voltage.Get()
		power, hasPower := o.Power.Get()
		_, hasLimit := o.PowerLimit.Get()
		if hasEnergy != metered || hasPower != metered || power != watts*map[bool]float64{true: 1}[metered] || hasVoltage != m.Strip.Emeter || hasLimit != metered {
			t.Errorf("outlet %d: energy %t, power %v %t, voltage %t, limit %t", i+1, hasEnergy, power, hasPower, hasVoltage, hasLimit)
		}
	}
	if r.Info.Model != m.Name || r.Info.Name != "" {
		t.Errorf("%+v", r.Info)
	}
	if _, known := r.ClockOffset.Get(); known != metered {
		t.Errorf("clock %v", r.ClockOffset)
	}
}

// child is an entry of get_child_device_list.
func child(id, members string) string {
	if members != "" {
		members = "," + members
	}
	return fmt.Sprintf(`{"device_id":%q,"category":"plug.powerstrip.sub-plug","device_on":true%s}`, id, members)
}

// TestStrips reads every strip, and counts what that takes: one exchange for the
// strip, and one for each outlet with a meter.
func TestStrips(t *testing.T) {
	for _, tc := range []struct {
		model      simulator.Model
		metered    bool
		cold, warm int
	}{
		{simulator.P300First, false, 7, 2}, // it takes no second batch
		{simulator.P300, false, 5, 1},
		{simulator.P300Reversed, false, 5, 1},
		{simulator.P304M, true, 10, 5}, // the first outlet says that it knows no get_emeter_data
		{simulator.P306, false, 5, 1},
		{simulator.P316M, true, 11, 7},
		{simulator.P210M, true, 7, 3},
		{simulator.TP25, false, 6, 1},
		{simulator.EP40M, false, 5, 1},
	} {
		t.Run(tc.model.Name+" "+tc.model.Firmware, func(t *testing.T) {
			p := strip(t, tc.model)
			d := plugtest.Device(t, p)
			var r tapo.Reading
			if got := plugtest.Requests(p, func() { r = plugtest.Read(t, d) }); got != tc.cold {
				t.Errorf("cold: %d round trips, want %d", got, tc.cold)
			}
			checkOutlets(t, r, tc.model, tc.metered)
			for range 3 {
				if got := plugtest.Requests(p, func() { r = plugtest.Read(t, d) }); got != tc.warm {
					t.Errorf("warm: %d round trips, want %d", got, tc.warm)
				}
				checkOutlets(t, r, tc.model, tc.metered)
			}
			p.LoseSession()
			checkOutlets(t, plugtest.Read(t, d), tc.model, tc.metered)
			p.SetOutlet(2, true)
			if on, _ := plugtest.Read(t, d).Outlets[1].On.Get(); !on {
				t.Error("outlet 2 was switched on")
			}
		})
	}
}

// TestPagesOfChildren: what does not fit in one reply is asked for, once.
func TestPagesOfChildren(t *testing.T) {
	m := simulator.P316M
	m.Strip = &simulator.Strip{Outlets: 13, Components: m.Strip.Components, Emeter: true, NoPower: true, Reversed: true}
	p := strip(t, m)
	d := plugtest.Device(t, p)
	if got, want := plugtest.Requests(p, func() { checkOutlets(t, plugtest.Read(t, d), m, true) }), 3+2+2+13; got != want {
		t.Errorf("cold: %d round trips, want %d", got, want)
	}
	if got, want := plugtest.Requests(p, func() { checkOutlets(t, plugtest.Read(t, d), m, true) }), 2+13; got != want {
		t.Errorf("warm: %d round trips, want %d", got, want)
	}
}

// TestOddListsOfChildren: whatever a strip lists, every outlet has a number of its own.
func TestOddListsOfChildren(t *testing.T) {
	name := func(s string) string { return `"nickname":"` + base64.StdEncoding.EncodeToString([]byte(s)) + `"` }
	for _, tc := range []struct {
		name string
		list []string
		want string // numbers and names
	}{
		{"no order", []string{child("x", `"position":3,`+name("c")), child("y", `"position":1,`+name("a")), child("z", `"position":2,`+name("b"))}, "1 a, 2 b, 3 c"},
		{"no positions", []string{child("y", name("b")), child("x", name("a"))}, "1 a, 2 b"},
		{"one without a position", []string{child("x", name("b")), child("y", `"position":1,`+name("a")), child("z", `"position":3,`+name("c"))}, "1 a, 2 b, 3 c"},
		{"a position twice", []string{child("y", `"position":1,`+name("b")), child("x", `"position":1,`+name("a")), child("z", `"position":2,`+name("c"))}, "1 a, 2 c, 3 b"},
		{"positions that are none", []string{child("a", `"position":0`), child("b", `"position":-1`), child("c", `"position":1.5`), child("d", `"position":1e9`), child("e", `"position":"x"`), child("f", `"position":null`)}, "1 , 2 , 3 , 4 , 5 , 6 "},
		{"a position as a string", []string{child("a", `"position":"2"`), child("b", `"position":1`)}, "1 , 2 "},
		{"the same twice", []string{child("a", `"position":1`), child("a", `"position":1`), child("a", `"position":2`)}, "1 "},
		{"no ids", []string{child("", `"position":2,`+name("b")), child("", `"position":1,`+name("a"))}, "1 a, 2 b"},
		{"nothing", nil, ""},
		{"not objects", []string{"5", `"x"`, "null", "[]", child("a", `"position":4,`+name("d"))}, "4 d"},
		{"sensors", []string{`{"device_id":"s","category":"subg.trigger.motion-sensor"}`, child("a", `"position":1`)}, "1 "},
		{"no category", []string{`{"device_id":"s","position":7}`}, "7 "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := strip(t, simulator.P300)
			p.Answer("get_child_device_list", fmt.Sprintf(`{"child_device_list":[%s],"start_index":0,"sum":%d}`, strings.Join(tc.list, ","), len(tc.list)))
			d := plugtest.Device(t, p)
			for range 2 {
				var got []string
				for _, o := range plugtest.Read(t, d).Outlets {
					got = append(got, fmt.Sprint(o.Number, " ", o.Name))
				}
				if got := strings.Join(got, ", "); got != tc.want {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			}
		})
	}
}

// TestOddSumsOfChildren: a list that says that there is more than there is ends all the
// same, and one that is refused or damaged leaves a strip that was read.
func TestOddSumsOfChildren(t *testing.T) {
	one := `{"child_device_list":[` + child("a", `"position":1`) + `],"start_index":0,"sum":`
	for list, most := range map[string]int{
		one + `1}`: 1, one + `1000000}`: 70, one + `-1}`: 1, one + `null}`: 1, one + `"x"}`: 1,
		`{"child_device_list":[],"sum":5}`: 2, `{"child_device_list":null,"sum":5}`: 2, `{}`: 1, `[]`: 1, `null`: 1,
	} {
		p := strip(t, simulator.P300)
		p.Answer("get_child_device_list", list)
		d := plugtest.Device(t, p)
		plugtest.Read(t, d)
		if got := plugtest.Requests(p, func() { plugtest.Read(t, d) }); got > min(most, 8) {
			t.Errorf("%s: %d round trips", list, got)
		}
	}
	for _, code := range []int{-1, -1001, -1002, -1008, -1301} {
		p := strip(t, simulator.P300)
		p.Refuse("get_child_device_list", code)
		if r := plugtest.Read(t, plugtest.Device(t, p)); len(r.Outlets) != 0 || r.Info.Model != "P300" {
			t.Errorf("code %d: %+v", code, r)
		}
	}
}

// TestOutletsThatRefuse leave the values of the others alone.
func TestOutletsThatRefuse(t *testing.T) {
	for _, m := range []simulator.Model{simulator.P304M, simulator.P316M} {
		p := strip(t, m)
		for _, method := range []string{"get_energy_usage", "get_emeter_data", "get_current_power", "get_protection_power"} {
			p.Refuse("3/"+method, -1001)
		}
		d := plugtest.Device(t, p)
		for range 3 {
			for i, o := range plugtest.Read(t, d).Outlets {
				if _, has := o.Power.Get(); has != (i != 2) || o.On != tapo.Some(i != 1) {
					t.Errorf("%s outlet %d: power %v, on %v", m.Name, i+1, o.Power, o.On)
				}
			}
		}
	}
	p := strip(t, simulator.P210M)
	p.Refuse("control_child", -1301) // all of them, for now
	d := plugtest.Device(t, p)
	for _, o := range plugtest.Read(t, d).Outlets {
		if _, has := o.Power.Get(); has {
			t.Errorf("%+v", o)
		}
	}
	p.Refuse("control_child", 0)
	for _, o := range plugtest.Read(t, d).Outlets {
		if _, has := o.Power.Get(); !has {
			t.Errorf("%+v", o)
		}
	}
}

// TestOutletsWithoutBatches: where control_child takes no batch the methods are
// asked one by one, from then on.
func TestOutletsWithoutBatches(t *testing.T) {
	p := strip(t, simulator.P316M)
	for i := range 6 {
		p.Refuse(fmt.Sprintf("%d/multipleRequest", i+1), -1003)
	}
	d := plugtest.Device(t, p)
	if got, want := plugtest.Requests(p, func() { plugtest.Read(t, d) }), 8+2+6*2; got != want { // the bound: the rest waits for the next read
		t.Errorf("cold: %d round trips, want %d", got, want)
	}
	for _, want := range []int{1 + 6*2 + 1, 1 + 6*2} {
		if got := plugtest.Requests(p, func() { checkOutlets(t, plugtest.Read(t, d), simulator.P316M, true) }); got != want {
			t.Errorf("warm: %d round trips, want %d", got, want)
		}
	}

	p = strip(t, simulator.P316M)
	p.Refuse("2/multipleRequest", -1002) // one outlet alone
	d = plugtest.Device(t, p)
	plugtest.Read(t, d)
	if got, want := plugtest.Requests(p, func() { checkOutlets(t, plugtest.Read(t, d), simulator.P316M, true) }), 1+5+2; got != want {
		t.Errorf("one: %d round trips, want %d", got, want)
	}
}

// TestBusyOutlets are left out of one read, and take batches after that.
func TestBusyOutlets(t *testing.T) {
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

// TestControlChildRefusesBatches: control_child itself refuses a batch, and takes one method.
func TestControlChildRefusesBatches(t *testing.T) {
	p := strip(t, simulator.P316M)
	p.Refuse("control_child multipleRequest", -1003)
	d := plugtest.Device(t, p)
	plugtest.Read(t, d)
	plugtest.Read(t, d)
	checkOutlets(t, plugtest.Read(t, d), simulator.P316M, true)
}

// TestRefusedPageOfChildren: what the first page has stays.
func TestRefusedPageOfChildren(t *testing.T) {
	for _, code := range []int{-1, -1001, -1008} {
		m := simulator.P300
		m.Strip = &simulator.Strip{Outlets: 13, Components: m.Strip.Components}
		p := strip(t, m)
		p.Refuse("get_child_device_list from 10", code)
		d := plugtest.Device(t, p)
		for i := range 3 {
			if got := len(plugtest.Read(t, d).Outlets); got != 10 {
				t.Errorf("code %d, read %d: %d outlets", code, i, got)
			}
		}
		p.Refuse("get_child_device_list from 10", 0)
		if got := len(plugtest.Read(t, d).Outlets); got != 13 {
			t.Errorf("code %d: %d outlets", code, got)
		}
	}
}

// TestOutletNumbersStay: an outlet without a position keeps its number while another is
// missing.
func TestOutletNumbersStay(t *testing.T) {
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

// TestValuesFromTheChildList counts where an outlet does not say it itself: its state by
// another name, and the limit of its protection.
func TestValuesFromTheChildList(t *testing.T) {
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

// TestChildrenThatChange: a strip that lists other children in each read is read within
// the bound for a strip, and no child is read that is not in the last list.
func TestChildrenThatChange(t *testing.T) {
	p := plugtest.Start(t, &simulator.Plug{Model: simulator.P304M})
	d := plugtest.Device(t, p)
	for read := range 10 {
		var entries []string
		for i := range 100 {
			entries = append(entries, fmt.Sprintf(`{"device_id":"%d-%d","position":%d,"device_on":true,"category":"plug.powerstrip.sub-plug"}`, read, i, i%7))
		}
		p.Answer("get_child_device_list", `{"child_device_list":[`+strings.Join(entries, ",")+`],"sum":100}`)
		var outlets int
		took := plugtest.Requests(p, func() { outlets = len(plugtest.Read(t, d).Outlets) })
		if outlets > 16 || took > 8+2+2*16 {
			t.Errorf("read %d: %d outlets, %d requests", read, outlets, took)
		}
	}
	p.Answer("get_child_device_list", "[")
	if outlets := plugtest.Read(t, d).Outlets; len(outlets) > 16 {
		t.Errorf("%d outlets without a list", len(outlets))
	}
}
