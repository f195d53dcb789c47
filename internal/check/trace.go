// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// trace collects what a read reports.
type trace struct {
	now     func() time.Time
	network func(ctx context.Context, network, address string) (net.Conn, error)

	attempts    []attempt // to connect over TCP
	established bool      // one of them has succeeded
	woken       time.Time // when the wake-up was sent, if one was
	wakeTook    time.Duration

	spent    map[tapo.Phase]time.Duration // in requests
	requests int
	protocol tapo.Protocol  // of the login, once it has succeeded
	listed   bool           // componentList has been answered or refused
	refused  map[string]int // error codes of methods that the plug has but does not answer now
}

// Methods of plugs whose outcome decides a step or a note: docs/protocols.md,
// "What it costs a plug".
const (
	componentList = "component_nego"
	childList     = "get_child_device_list" // a strip must answer it
	energyUsage   = "get_energy_usage"
)

// Error codes of plugs, as in tapo/internal/plugerr.
const (
	codeUnknownMethod = -1002 // this and the next: the plug does not have the method
	codeWrongParams   = -1008
	codeStatistics    = -2201 // this and the next: the clock has not been set yet
	codeTime          = -1601
	codeTimeSys       = -1602
	codeTimeSave      = -1603
)

// attempt is one to connect over TCP.
type attempt struct {
	took time.Duration
	err  error
}

// newTrace returns the trace of a read.
func (r *run) newTrace() *trace {
	t := &trace{now: r.Now, network: r.DialContext, spent: map[tapo.Phase]time.Duration{}, refused: map[string]int{}}
	if t.network == nil {
		t.network = (&net.Dialer{}).DialContext
	}
	return t
}

// dial connects, and records how that went. A connection over UDP is the wake-up.
func (t *trace) dial(ctx context.Context, network, address string) (net.Conn, error) {
	start := t.now()
	if network == "udp" {
		t.woken = start
		return t.network(ctx, network, address)
	}
	conn, err := t.network(ctx, network, address)
	t.attempts = append(t.attempts, attempt{t.now().Sub(start), err})
	t.established = t.established || err == nil
	if !t.woken.IsZero() && t.wakeTook == 0 {
		t.wakeTook = t.now().Sub(t.woken)
	}
	return conn, err
}

// hooks counts what the read does.
func (t *trace) hooks() tapo.Trace {
	return tapo.Trace{
		Exchange: func(e tapo.Exchange) {
			t.requests++
			t.spent[e.Phase] += e.Took
		},
		Login: func(p tapo.Protocol) { t.protocol = p },
		Method: func(name string, code int) {
			t.listed = t.listed || name == componentList
			if code != 0 && code != codeUnknownMethod && code != codeWrongParams {
				t.refused[name] = code
			}
		},
	}
}

// refusalsText says what the plug has refused for now, "" if nothing.
func (t *trace) refusalsText() string {
	texts := make([]string, 0, len(t.refused))
	for _, name := range slices.Sorted(maps.Keys(t.refused)) {
		texts = append(texts, fmt.Sprintf("%s (error_code %d)", name, t.refused[name]))
	}
	if len(texts) == 0 {
		return ""
	}
	text := "the plug refuses for now: " + strings.Join(texts, ", ")
	switch t.refused[energyUsage] {
	case codeStatistics, codeTime, codeTimeSys, codeTimeSave:
		text += "; it has no energies until its clock is set, which takes internet access"
	}
	return text
}

// failedStep returns the step at which a read has failed after it had connected.
func (t *trace) failedStep(err *tapo.Error) string {
	switch err.Reason {
	case tapo.NotAPlug, tapo.Unsupported, tapo.PassthroughNotAllowed, tapo.LocalAccessRefused:
		if t.protocol != "" { // it is another plug than the target's
			return stepRead
		}
		return stepProtocol
	case tapo.BadCredentials, tapo.LoginBackoff, tapo.Locked:
		return stepLogin
	}
	switch {
	case t.protocol != "" && !t.listed:
		return stepComponents
	case t.protocol != "":
		return stepRead
	case t.spent[tapo.PhaseLogIn] > 0, err.Protocol != "":
		return stepLogin
	}
	return stepProtocol
}
