// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// countingPlug counts logins with a wrong password, as such plugs do.
func countingPlug(t *testing.T) *simulator.Plug {
	t.Helper()
	return startPlug(t, &simulator.Plug{Model: simulator.P110TPAP, TPAP: simulator.TPAPOptions{Iterations: 10}})
}

func failures(t *testing.T, when string, p *simulator.Plug, want int) {
	t.Helper()
	if got := p.Stats().LoginFailures; got != want {
		t.Errorf("%s: the plug has counted %d failures, want %d", when, got, want)
	}
}

// TestRejectionsOutliveTargets: a target that goes and comes back has not been
// corrected.
func TestRejectionsOutliveTargets(t *testing.T) {
	p := countingPlug(t)
	const wrong = "auths: {home: {username: " + username + ", password: %s}}\n"
	targets := "targets: [{name: a, address: '" + p.Addr().String() + "'}]\n"
	f := newFixture(t, fmt.Sprintf(wrong, "wrong")+targets)
	reload := func(yaml string) {
		t.Helper()
		f.write(t, yaml)
		f.do(http.MethodPost, "/-/reload")
	}
	f.want(t, "/probe?target=a", 200, `reason="bad_credentials"`)
	failures(t, "at first", p, 1)
	for range 3 {
		reload(fmt.Sprintf(wrong, "wrong"))
		f.want(t, "/probe?target=a", 400)
		for range 2 { // the second time without a probe between
			reload(fmt.Sprintf(wrong, "wrong") + targets)
			reload(fmt.Sprintf(wrong, "wrong"))
		}
		reload(fmt.Sprintf(wrong, "wrong") + targets)
		f.want(t, "/probe?target=a", 200, `reason="login_backoff"`)
	}
	failures(t, "removed and added", p, 1)
	for i := range 20 {
		reload(fmt.Sprintf(wrong, fmt.Sprintf("wrong-%d", i)))
		reload(fmt.Sprintf(wrong, fmt.Sprintf("wrong-%d", i)) + targets)
		reload(fmt.Sprintf(wrong, fmt.Sprintf("wrong-%d", i)))
		reload(fmt.Sprintf(wrong, fmt.Sprintf("wrong-%d", i)) + targets)
		f.want(t, "/probe?target=a", 200, "tapo_up 0")
	}
	failures(t, "20 wrong passwords", p, 10)
	reload(auths + targets)
	f.want(t, "/probe?target=a", 200, `reason="login_backoff"`)
	if n := len(f.sessions.plugs); n != 1 {
		t.Errorf("%d plugs are remembered", n)
	}
}

// TestRejectionsOutliveIdleness: an unlisted plug is forgotten after a day,
// but not that it has refused the password.
func TestRejectionsOutliveIdleness(t *testing.T) {
	p := countingPlug(t)
	f := newFixture(t, "auths: {home: {username: "+username+", password: wrong}}\n", func(o *Options) {
		o.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, p.Addr().String())
		}
	})
	for range 3 {
		f.want(t, "/probe?target=10.0.0.1", 200, "tapo_up 0")
		f.sessions.mu.Lock()
		for _, s := range f.sessions.plugs {
			s.used = s.used.Add(-25 * time.Hour)
		}
		f.sessions.forgetUnlisted(time.Now())
		f.sessions.mu.Unlock()
	}
	failures(t, "idle for hours", p, 1)

	f.write(t, "auths: {home: {username: "+username+", password: wrong-as-well}}\n")
	f.do(http.MethodPost, "/-/reload")
	f.want(t, "/probe?target=10.0.0.1", 200, `reason="bad_credentials"`)
	failures(t, "another password", p, 2)
	if n := len(f.sessions.plugs); n != 1 {
		t.Errorf("%d plugs are remembered", n)
	}
}
