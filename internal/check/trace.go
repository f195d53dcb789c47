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

// trace is what a read reports on its way.
type trace struct {
	now     func() time.Time
	network func(ctx context.Context, network, address string) (net.Conn, error)

	dials     []dial    // over TCP
	connected bool      // one of them has succeeded
	woken     time.Time // when the wake-up was sent, if one was
	wakeTook  time.Duration

	spent    map[tapo.Phase]time.Duration // in requests
	requests int
	protocol tapo.Protocol  // of the login, once it has succeeded
	listed   bool           // component_nego has been answered, or refused
	refused  map[string]int // methods that the plug knows and refuses for now, with its error codes
}

// What plugs answer about methods that they do not have.
const (
	unknownMethod = -1002
	wrongParams   = -1008
)

// dial is an attempt to connect.
type dial struct {
	took time.Duration
	err  error
}

func (r *run) trace() *trace {
	t := &trace{now: r.Now, network: r.DialContext, spent: map[tapo.Phase]time.Duration{}, refused: map[string]int{}}
	if t.network == nil {
		t.network = (&net.Dialer{}).DialContext
	}
	return t
}

// dial connects, and notes how that went. A datagram is the wake-up.
func (t *trace) dial(ctx context.Context, network, address string) (net.Conn, error) {
	start := t.now()
	if network == "udp" {
		t.woken = start
		return t.network(ctx, network, address)
	}
	conn, err := t.network(ctx, network, address)
	t.dials = append(t.dials, dial{t.now().Sub(start), err})
	t.connected = t.connected || err == nil
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
			t.listed = t.listed || name == "component_nego"
			if code != 0 && code != unknownMethod && code != wrongParams {
				t.refused[name] = code
			}
		},
	}
}

// listOfSockets is the method that a strip must answer.
const listOfSockets = "get_child_device_list"

// refusals says what the plug has refused for now, "" if nothing.
func (t *trace) refusals() string {
	texts := make([]string, 0, len(t.refused))
	for _, name := range slices.Sorted(maps.Keys(t.refused)) {
		texts = append(texts, fmt.Sprintf("%s (error_code %d)", name, t.refused[name]))
	}
	if len(texts) == 0 {
		return ""
	}
	text := "the plug refuses for now: " + strings.Join(texts, ", ")
	switch t.refused["get_energy_usage"] {
	case -2201, -1601, -1602, -1603:
		text += "; it has no energies until its clock is set, which takes internet access"
	}
	return text
}

// failedAt returns the step that a read has failed at once it was connected.
func (t *trace) failedAt(err *tapo.Error) string {
	switch err.Reason {
	case tapo.NotAPlug, tapo.Unsupported, tapo.PassthroughNotAllowed, tapo.LocalAccessRefused:
		if t.protocol != "" { // another plug than the one that is wanted
			return read
		}
		return protocol
	case tapo.BadCredentials, tapo.LoginBackoff, tapo.Locked:
		return login
	}
	switch {
	case t.protocol != "" && !t.listed:
		return components
	case t.protocol != "":
		return read
	case t.spent[tapo.PhaseLogIn] > 0, err.Protocol != "":
		return login
	}
	return protocol
}
