// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"cmp"
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
	protocol tapo.Protocol // of the login, once it has succeeded
	listed   bool          // componentList has been answered, or the plug does not have it
	failed   map[call]tapo.MethodReply
}

// call is a method that the plug has, of a strip's socket or of the plug itself.
type call struct {
	method string
	socket int // 0 is the plug itself
}

func (c call) String() string {
	if c.socket == 0 {
		return c.method
	}
	return fmt.Sprintf("%s of socket %d", c.method, c.socket)
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
)

// codesOfClock are the error codes of a plug whose clock has not been set yet.
var codesOfClock = []int{-2201, -1601, -1602, -1603}

// attempt is one to connect over TCP.
type attempt struct {
	took time.Duration
	err  error
}

// newTrace returns the trace of a read.
func (r *run) newTrace() *trace {
	t := &trace{now: r.Now, network: r.DialContext, spent: map[tapo.Phase]time.Duration{}, failed: map[call]tapo.MethodReply{}}
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
		Method: func(m tapo.MethodReply) {
			of, works := call{m.Method, m.Outlet}, m.Err == nil
			unknown := m.Code == codeUnknownMethod || m.Code == codeWrongParams
			t.listed = t.listed || m.Method == componentList && (works || unknown)
			switch {
			case works:
				delete(t.failed, of)
			case !unknown:
				t.failed[of] = m
			}
		},
	}
}

// failures are notes about methods that the plug has refused for now, and about replies
// that are of no use.
func (t *trace) failures() (notes []string) {
	var refused, useless []string
	clock := false
	for _, of := range slices.SortedFunc(maps.Keys(t.failed), func(a, b call) int {
		return cmp.Or(cmp.Compare(a.method, b.method), cmp.Compare(a.socket, b.socket))
	}) {
		switch m := t.failed[of]; {
		case m.Code != 0:
			refused = append(refused, fmt.Sprintf("%v (error_code %d)", of, m.Code))
			clock = clock || of.method == energyUsage && slices.Contains(codesOfClock, m.Code)
		default:
			useless = append(useless, fmt.Sprintf("%v (%s)", of, strings.TrimPrefix(m.Err.Error(), m.Method+": ")))
		}
	}
	if len(refused) > 0 {
		notes = append(notes, "the plug refuses for now: "+strings.Join(refused, ", "))
	}
	if clock {
		notes[0] += "; it has no energies until its clock is set, which takes internet access"
	}
	if len(useless) > 0 {
		notes = append(notes, "the values of these replies are missing, since the replies are damaged: "+strings.Join(useless, ", "))
	}
	return notes
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
