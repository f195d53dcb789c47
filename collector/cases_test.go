// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// reportedCase is a file of testdata/cases: what a public report says that a plug answers,
// and what is right then.
type reportedCase struct {
	// Fixture has the results by method, and those of children under "children".
	// {"@raw": "text"} stands for the text as it is, "*" for any method.
	Fixture map[string]json.RawMessage
	// Expect has the value of each series: null is absent, a list of two a range.
	Expect map[string]any
}

// TestReportedCases probes plugs that answer as reported, twenty times over each protocol:
// the values are right in each probe, there is one login, and the last probes take as few
// requests as a warm read may.
func TestReportedCases(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		for _, m := range []simulator.Model{simulator.P110, simulator.P110TPAP, simulator.P110Passthrough} {
			t.Run(fmt.Sprintf("%s/%v", strings.TrimSuffix(filepath.Base(file), ".json"), m.Protocol), func(t *testing.T) {
				t.Parallel()
				var c reportedCase
				text, err := os.ReadFile(file)
				if err == nil {
					err = json.Unmarshal(text, &c)
				}
				if err != nil {
					t.Fatal(err)
				}
				p := &simulator.Plug{Model: m, TPAP: simulator.TPAPOptions{Iterations: 10}}
				if c.Fixture != nil {
					p.Respond = c.respond
				}
				startPlug(t, p)
				if c.Fixture == nil { // html-large
					p.Inject(simulator.Fault{Kind: simulator.HTML, Path: map[simulator.Protocol]string{simulator.KLAP: "/app/request", simulator.TPAP: "/ds", simulator.Passthrough: "request /app"}[m.Protocol], Above: 260})
				}
				h := newHome(t, auths+fmt.Sprintf("targets: [{name: a, address: %q, allow_passthrough: true}]\n", p.Addr()))
				for probe := range 20 {
					before := p.Stats().Requests
					c.check(t, probe, h.probed("a"))
					if took := p.Stats().Requests - before; probe >= 3 && took > 3 {
						t.Errorf("probe %d: %d requests", probe, took)
					}
				}
				if logins := p.Stats().Logins; logins != 1 {
					t.Errorf("%d logins", logins)
				}
			})
		}
	}
}

// check compares an exposition with what is expected.
func (c reportedCase) check(t *testing.T, probe int, exposition string) {
	t.Helper()
	for series, want := range c.Expect {
		if !strings.HasPrefix(series, "tapo_") {
			continue
		}
		name := strings.ReplaceAll(series, "outlet=1}", `outlet="1"}`)
		name = strings.ReplaceAll(name, "outlet=2}", `outlet="2"}`)
		got := math.NaN()
		for line := range strings.Lines(exposition) {
			if value, ok := strings.CutPrefix(line, name+" "); ok {
				got, _ = strconv.ParseFloat(strings.TrimSpace(value), 64)
			}
		}
		ok := false
		switch want := want.(type) {
		case nil:
			ok = math.IsNaN(got)
		case float64:
			ok = math.Abs(got-want) < 1e-9*math.Max(1, math.Abs(want))
		case []any:
			ok = got >= want[0].(float64) && got <= want[1].(float64)
		}
		if !ok {
			t.Errorf("probe %d: %s is %v, want %v", probe, series, got, want)
		}
	}
}

// respond answers a request as the fixture has it.
func (c reportedCase) respond(request []byte) []byte {
	if anything, ok := c.Fixture["*"]; ok {
		var text string
		_ = json.Unmarshal(anything, &text)
		return []byte(text)
	}
	return answer(c.Fixture, request)
}

// answer answers a method, a batch, or a call of a child.
func answer(fixture map[string]json.RawMessage, request []byte) []byte {
	var call struct {
		Method string
		Params struct {
			Requests    []json.RawMessage
			DeviceID    string `json:"device_id"`
			RequestData json.RawMessage
		}
	}
	_ = json.Unmarshal(request, &call)
	switch call.Method {
	case "multipleRequest":
		var replies []string
		for _, r := range call.Params.Requests {
			reply := answer(fixture, r)
			replies = append(replies, string(reply))
			if strings.Contains(string(reply), `"error_code":-`) { // a batch ends there
				break
			}
		}
		return fmt.Appendf(nil, `{"error_code":0,"result":{"responses":[%s]}}`, strings.Join(replies, ","))
	case "control_child":
		var children map[string]map[string]json.RawMessage
		_ = json.Unmarshal(fixture["children"], &children)
		return fmt.Appendf(nil, `{"error_code":0,"result":{"responseData":%s}}`, answer(children[call.Params.DeviceID], call.Params.RequestData))
	}
	result, ok := fixture[call.Method]
	if !ok {
		return fmt.Appendf(nil, `{"method":%q,"error_code":-1002}`, call.Method)
	}
	var raw struct {
		Text *string `json:"@raw"`
	}
	if json.Unmarshal(result, &raw) == nil && raw.Text != nil {
		result = json.RawMessage(*raw.Text)
	}
	text := strings.ReplaceAll(string(result), "@local", time.Now().UTC().Format(time.DateTime))
	return fmt.Appendf(nil, `{"method":%q,"error_code":0,"result":%s}`, call.Method, text)
}
