// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// malformed is the result of get_emeter_data of a P410M that feeds in
// (python-kasa/python-kasa#1758).
const malformed = `{"current_ma":92,"voltage_mv":236120,"power_mw":--19231,"energy_wh":0}`

// failings are the ways in which one method fails.
var failings = []struct {
	name string
	fail func(p *simulator.Plug, method string)
}{
	{"malformed", func(p *simulator.Plug, m string) { p.Answer(m, malformed) }},
	{"cut short", func(p *simulator.Plug, m string) { p.Answer(m, `{"current_ma":92,`) }},
	{"not JSON", func(p *simulator.Plug, m string) { p.Answer(m, "\x00\xff") }},
	{"whole reply empty", func(p *simulator.Plug, m string) { p.AnswerWhole(m, `{}`) }},
	{"whole reply null", func(p *simulator.Plug, m string) { p.AnswerWhole(m, `null`) }},
	{"whole reply text", func(p *simulator.Plug, m string) { p.AnswerWhole(m, `"module not support"`) }},
	{"whole reply without a result", func(p *simulator.Plug, m string) { p.AnswerWhole(m, `{"error_code":0}`) }},
	{"empty", func(p *simulator.Plug, m string) { p.Answer(m, `{}`) }},
	{"null", func(p *simulator.Plug, m string) { p.Answer(m, `null`) }},
	{"a list", func(p *simulator.Plug, m string) { p.Answer(m, `[1]`) }},
	{"text", func(p *simulator.Plug, m string) { p.Answer(m, `"module not support"`) }},
	{"unknown members", func(p *simulator.Plug, m string) { p.Answer(m, `{"err_code":-1,"err_msg":"module not support"}`) }},
	{"refused, -1", func(p *simulator.Plug, m string) { p.Refuse(m, -1) }},
	{"refused, -1001", func(p *simulator.Plug, m string) { p.Refuse(m, -1001) }},
	{"refused, -1002", func(p *simulator.Plug, m string) { p.Refuse(m, -1002) }},
	{"refused, -40106", func(p *simulator.Plug, m string) { p.Refuse(m, -40106) }},
	{"missing, and refused", func(p *simulator.Plug, m string) { p.Omit(m, true); p.Refuse(m, -1) }},
}

// heal makes a method work again.
func heal(p *simulator.Plug, method string) {
	p.Answer(method, "")
	p.AnswerWhole(method, "")
	p.Refuse(method, 0)
	p.Omit(method, false)
}

// methodValues are methods, and whether an outlet has the values of each.
var methodValues = map[string]func(r tapo.Reading, outlet int) bool{
	"get_device_info":  func(r tapo.Reading, _ int) bool { return has(r.Outlets[0].On) && has(r.RSSI) },
	"get_energy_usage": func(r tapo.Reading, i int) bool { return has(r.Outlets[i].EnergyMonth) },
	"get_emeter_data":  func(r tapo.Reading, i int) bool { return has(r.Outlets[i].Voltage) },
}

func has[T any](v tapo.Optional[T]) bool { _, ok := v.Get(); return ok }

// oneFails is a plug of which one method fails, on one outlet.
type oneFails struct {
	*plugtest.Home
	method  string
	outlet  int // its index
	outlets int
}

// want reads 15 seconds later. The values of the method must be there or not, and those of
// all other methods and outlets must be there. requests is what the read may take; 0 is
// any number.
func (h oneFails) want(works bool, requests int) {
	h.Helper()
	time.Sleep(15 * time.Second)
	before := h.Plug.Stats().Requests
	r, err := h.Read(h.Device)
	took := h.Plug.Stats().Requests - before
	if err != nil || len(r.Outlets) != h.outlets {
		h.Fatalf("%v, %d outlets", err, len(r.Outlets))
	}
	for method, values := range methodValues {
		for i := range r.Outlets {
			if want := works || method != h.method || i != h.outlet; values(r, i) != want {
				h.Errorf("%s of outlet %d: %t, want %t", method, i+1, !want, want)
			}
			if !has(r.Outlets[i].Power) {
				h.Errorf("outlet %d has no power", i+1)
			}
		}
	}
	if requests > 0 && took != requests {
		h.Errorf("%d requests, want %d", took, requests)
	}
}

// TestOneMethodFails: a method that fails costs its own values. The next read is one
// exchange, without a login. Ten minutes later the method is asked alone, and is in the
// batch again once it works. That is so over all protocols, from the first read or later.
func TestOneMethodFails(t *testing.T) {
	for _, g := range plugtest.Generations {
		g.Model.Emeter = true
		for method := range methodValues {
			for _, f := range failings {
				for _, goodReads := range []int{0, 2, 100} {
					if goodReads == 100 && f.name != "malformed" { // as at sunrise
						continue
					}
					t.Run(fmt.Sprintf("%s/%s/%s/after %d", g.Name, method, f.name, goodReads), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							h := oneFails{plugtest.NewHome(t, g.Model), method, 0, 1}
							for range goodReads {
								h.want(true, 0)
							}
							f.fail(h.Plug, method)
							h.want(false, 0)
							for range 10 {
								h.want(false, 1)
							}
							time.Sleep(10 * time.Minute)
							h.tryAlone(goodReads == 0 && f.name == "refused, -1002" && method == "get_emeter_data")
							if logins := h.Plug.Stats().Logins; logins != 1 {
								t.Errorf("%d logins", logins)
							}
						})
					})
				}
			}
		}
	}
}

// tryAlone expects that the method is asked alone, and works in a batch once it is cured.
// never is true for a method that the plug does not have, which rests for a day.
func (h oneFails) tryAlone(never bool) {
	h.Helper()
	if never {
		h.want(false, h.outlets)
		return
	}
	warm := 1
	if h.outlets > 1 {
		warm += h.outlets
	}
	h.want(false, warm+1)
	h.want(false, warm)
	heal(h.Plug, h.method)
	time.Sleep(10 * time.Minute)
	h.want(true, warm+1)
	h.want(true, warm)
}

// TestOneMethodOfAnOutletFails is the same for one outlet of a strip, whose other outlets
// are read as ever.
func TestOneMethodOfAnOutletFails(t *testing.T) {
	for _, protocol := range []simulator.Protocol{simulator.KLAP, simulator.TPAP, simulator.Passthrough} {
		for _, method := range []string{"get_energy_usage", "get_emeter_data"} {
			for _, f := range failings {
				for _, goodReads := range []int{0, 2} {
					t.Run(fmt.Sprintf("%v/%s/%s/after %d", protocol, method, f.name, goodReads), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							m := simulator.P210M
							m.Protocol = protocol
							h := oneFails{plugtest.StartHome(t, &simulator.Plug{Model: m, Outlets: slices.Repeat([]simulator.Outlet{{Load: simulator.Constant(60)}}, 2)}), method, 1, 2}
							h.Device = h.NewDevice()
							for range goodReads {
								h.want(true, 0)
							}
							f.fail(h.Plug, "2/"+method)
							h.want(false, 0)
							for range 10 {
								h.want(false, 1+2)
							}
							if logins := h.Plug.Stats().Logins; logins != 1 {
								t.Errorf("%d logins", logins)
							}
						})
					})
				}
			}
		}
	}
}

// TestOutletFails: an outlet whose control_child fails, in whatever way, costs its own
// meter.
func TestOutletFails(t *testing.T) {
	for _, reply := range []string{`{`, `{}`, `null`, `[]`, `"x"`, `{"error_code":0}`, `{"error_code":-1}`, `{"error_code":-1301}`, `{"error_code":0,"result":{}}`, `{"error_code":0,"result":{"responses":[]}}`} {
		for _, goodReads := range []int{0, 2} {
			t.Run(fmt.Sprintf("%s/after %d", reply, goodReads), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					h := plugtest.StartHome(t, &simulator.Plug{Model: simulator.P304M, Outlets: slices.Repeat([]simulator.Outlet{{Load: simulator.Constant(60)}}, 4)})
					h.Device = h.NewDevice()
					for range goodReads {
						h.Reason(h.Device)
					}
					h.Plug.AnswerWhole("2/control_child", reply)
					for read := range 4 {
						time.Sleep(15 * time.Second)
						before := h.Plug.Stats().Requests
						r, err := h.Read(h.Device)
						if err != nil || len(r.Outlets) != 4 {
							t.Fatalf("%v, %d outlets", err, len(r.Outlets))
						}
						for i, o := range r.Outlets {
							if !has(o.On) || has(o.EnergyMonth) != (i != 1) || has(o.Power) != (i != 1) {
								t.Errorf("outlet %d: %+v", i+1, o)
							}
						}
						if took := h.Plug.Stats().Requests - before; read > 1 && took > 1+4 {
							t.Errorf("read %d: %d requests", read, took)
						}
					}
					if logins := h.Plug.Stats().Logins; logins != 1 {
						t.Errorf("%d logins", logins)
					}
				})
			})
		}
	}
}

// TestNothingRead: a device that accepts the login, and answers no method as a Tapo plug
// does, is not read. The next read is one exchange.
func TestNothingRead(t *testing.T) {
	for _, g := range plugtest.Generations {
		for _, says := range []string{
			`{}`, `null`, `[]`, `"module not support"`, `5`, `{"error_code":0}`, `{"error_code":0,"result":{}}`, `{"error_code":0,"result":null}`,
			`{"error_code":0,"result":[1]}`, `{"system":{"err_code":-1,"err_msg":"module not support"}}`,
			`{"method":{"err_code":-1,"err_msg":"module not support"},"params":{"err_code":-1,"err_msg":"module not support"}}`,
			`{"error_code":0,"result":{"responses":[]}}`, `{"error_code":0,"result":{"responses":[{"method":"get_device_info","error_code":0,"result":{}}]}}`,
		} {
			t.Run(g.Name+"/"+says, func(t *testing.T) {
				t.Parallel()
				p := plugtest.Start(t, &simulator.Plug{Model: g.Model, TPAP: simulator.TPAPOptions{Iterations: 10}})
				p.Inject(simulator.Fault{Kind: simulator.Says, Text: says, Path: g.Steps[len(g.Steps)-1]})
				d := plugtest.Device(t, p)
				err := plugtest.Failure(t, d, tapo.Unsupported)
				if !strings.Contains(err.Advice, "old Kasa dialect") {
					t.Error(err.Advice)
				}
				for range 3 {
					if got := plugtest.Requests(p, func() { plugtest.Fails(t, d, tapo.Unsupported) }); got != 1 {
						t.Errorf("%d requests, want 1", got)
					}
				}
				if logins := p.Stats().Logins; logins != 1 {
					t.Errorf("%d logins", logins)
				}
				p.Heal()
				plugtest.Read(t, d)
			})
		}
	}
}

// TestNothingReadForAWhile: a plug is read again as soon as it answers, although one of its
// methods spoils batches or get_device_info fails.
func TestNothingReadForAWhile(t *testing.T) {
	for _, method := range []string{"get_emeter_data", "get_device_info"} {
		synctest.Test(t, func(t *testing.T) {
			h := oneFails{plugtest.NewHome(t, simulator.P110TPAP), method, 0, 1}
			h.want(true, 0)
			h.Plug.Inject(simulator.Fault{Kind: simulator.Says, Text: "{}", Path: "/ds"})
			for range 4 {
				time.Sleep(15 * time.Second)
				if got := h.Reason(h.Device); got != tapo.Unsupported {
					t.Error(got)
				}
			}
			h.Plug.Heal()
			h.Plug.Answer(method, malformed)
			if method == "get_device_info" { // which is all that is asked for a minute
				time.Sleep(time.Minute)
			}
			h.want(false, 0)
			h.want(false, 1)
			if logins := h.Plug.Stats().Logins; logins > 2 {
				t.Errorf("%d logins", logins)
			}
		})
	}
}

// TestListOfOutletsFails: the meters of outlets that are known are read without the list.
func TestListOfOutletsFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := plugtest.StartHome(t, &simulator.Plug{Model: simulator.P304M, Outlets: []simulator.Outlet{{Load: simulator.Constant(60)}, {Name: "Fan"}, {}, {Name: "Oven"}}})
		h.Device = h.NewDevice()
		h.Reason(h.Device)
		h.Plug.Answer("get_child_device_list", "[")
		for read := range 3 {
			before := h.Plug.Stats().Requests
			r, err := h.Read(h.Device)
			if err != nil || len(r.Outlets) != 4 {
				t.Fatalf("%v, %d outlets", err, len(r.Outlets))
			}
			if o := r.Outlets[1]; o.Number != 2 || o.Name != "Fan" || has(o.On) || !has(o.EnergyMonth) || !has(o.Power) {
				t.Errorf("%+v", o)
			}
			if took := h.Plug.Stats().Requests - before; read > 0 && took != 1+4 {
				t.Errorf("read %d: %d requests", read, took)
			}
		}
		heal(h.Plug, "get_child_device_list")
		time.Sleep(10 * time.Minute)
		if r, err := h.Read(h.Device); err != nil || !has(r.Outlets[1].On) {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// TestAnyMethodsFail lets any methods fail in any ways, all but one of those with values.
// The others are read, within two reads even if there are few requests for them; the
// third is one exchange; and there is one login.
func TestAnyMethodsFail(t *testing.T) {
	all := []string{"get_device_info", "component_nego", "get_energy_usage", "get_emeter_data", "get_protection_power", "get_current_power"}
	for seed := range 200 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(uint64(seed), 0))
				g := plugtest.Generations[random.IntN(2)]
				h := plugtest.NewHome(t, g.Model)
				for range random.IntN(3) {
					h.Reason(h.Device)
				}
				spared := []string{"get_device_info", "get_energy_usage", "get_emeter_data"}[random.IntN(3)]
				failed := map[string]string{}
				for _, m := range all {
					if f := failings[random.IntN(len(failings))]; m != spared && random.IntN(2) == 0 {
						f.fail(h.Plug, m)
						failed[m] = f.name
					}
				}
				for read := range 6 {
					time.Sleep(15 * time.Second)
					before := h.Plug.Stats().Requests
					r, err := h.Read(h.Device)
					if err != nil {
						t.Fatalf("%v: read %d: %v", failed, read+1, err)
					}
					for m, values := range methodValues {
						if failed[m] == "" && read > 0 && !values(r, 0) {
							t.Errorf("%v: read %d: no values of %s: %+v", failed, read+1, m, r)
						}
					}
					if took := h.Plug.Stats().Requests - before; read > 2 && took != 1 {
						t.Errorf("%v: read %d: %d requests", failed, read+1, took)
					}
				}
				if logins := h.Plug.Stats().Logins; logins != 1 {
					t.Errorf("%v: %d logins", failed, logins)
				}
			})
		})
	}
}
