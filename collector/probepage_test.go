// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"errors"
	"fmt"
	"html"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestProbePages(t *testing.T) {
	p := startPlug(t, &simulator.Plug{})
	h := newHome(t, targetYAML(p), func(o *Options) { o.HistoryLimit = 3 })
	for range 5 {
		h.want(t, "/probe?target=a", 200)
	}
	h.want(t, "/probes/5", 200, "Probe 5 of a", "request: sent ", "The plug was read", "klap", "P110")
	h.want(t, "/probes/3", 200)
	for _, gone := range []string{"2", "1", "0", "6", "x", "-1", "99999999999999999999"} {
		h.want(t, "/probes/"+gone, 404, "--history.limit")
	}
	p.SetCredentials("x", "y")
	h.want(t, "/probe?target=a", 200)
	h.want(t, "/probes/6", 200, "bad_credentials", "handshake1: sent 16 bytes, took ", `<td data-label="HTTP status">200</td>`)
	h.want(t, "/probe?target=a", 200)
	h.want(t, "/probes/7", 200, "login_backoff", "not tried again before", "The plug was not asked")
	h.want(t, "/probe?target=a", 200)
	h.want(t, "/probes/8", 200, "login_backoff")

	none := newHome(t, targetYAML(p), func(o *Options) { o.HistoryLimit = 0 })
	none.want(t, "/probe?target=a", 200)
	none.want(t, "/", 200, "None yet")
	none.want(t, "/probes/1", 404)
}

// TestStepsNameWhatHappened reads a plug that refuses things.
func TestStepsNameWhatHappened(t *testing.T) {
	p := startPlug(t, &simulator.Plug{Model: simulator.P110NoEmeter})
	h := newHome(t, targetYAML(p))
	h.want(t, "/probe?target=a", 200)
	h.want(t, "/probes/1", 200, ">discover<", ">handshake1<", ">request<", "Method refused, method get_emeter_data, error_code -1002, meaning UNKNOWN_METHOD", "Logged in, protocol klap")
	p.Inject(simulator.Fault{Kind: simulator.Status, Status: 429})
	h.want(t, "/probe?target=a", 200)
	h.want(t, "/probes/2", 200, `<td data-label="HTTP status">429</td>`, "plug_error")
}

// TestStepsPairReplies has something happen between a request and its reply, as
// when a plug is woken, and a request without any.
func TestStepsPairReplies(t *testing.T) {
	start := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	line := func(second int, text string, attrs ...any) slog.Record {
		r := slog.NewRecord(start.Add(time.Duration(second)*time.Second), slog.LevelDebug, text, 0)
		r.Add(attrs...)
		return r
	}
	p := Probe{Start: start, lines: []slog.Record{
		line(0, "Request to the plug", "step", "discover", "bytes", 53),
		line(1, "The plug refuses connections", "pause", time.Second),
		line(2, "Reply of the plug", "step", "discover", "status", 200, "bytes", 19, "took", 2*time.Second),
		line(3, "Request to the plug", "step", "request", "bytes", 300),
		line(4, "Reply of the plug", "step", "request", "status", 0, "bytes", 0, "took", time.Second, "err", errors.New("reset")),
		line(5, "Request to the plug", "step", "request", "bytes", 300),
		line(6, "Plug cannot be read", "err", errors.New("reset"), "advice", "Look elsewhere."),
	}}
	want := []step{
		{After: 0, Name: "discover", Status: 200, Sent: 53, Received: 19, Took: 2 * time.Second, Answered: true},
		{After: time.Second, Text: "The plug refuses connections, pause 1s"},
		{After: 3 * time.Second, Name: "request", Sent: 300, Took: time.Second, Answered: true, Text: "reset"},
		{After: 5 * time.Second, Name: "request", Sent: 300},
	}
	if diff := cmp.Diff(want, p.Steps()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

var reportText = regexp.MustCompile(`(?s)<textarea[^>]*>(.*?)</textarea>`)

// TestReportHasNothingPrivate looks for everything that identifies a plug or its
// owner in the text for strangers.
func TestReportHasNothingPrivate(t *testing.T) {
	t.Parallel()
	p := startPlug(t, &simulator.Plug{Name: "Grandmother's lamp"})
	h := newHome(t, fmt.Sprintf("auths: {home: {username: %s, password: %s}}\ntargets: [{name: bedroom, address: '%s'}, {name: moved, address: 'no-such-host.invalid:8080'}]", username, password, p.Addr()))
	h.want(t, "/probe?target=bedroom", 200, "tapo_up 1")
	info := h.sessions.State(h.store.Current().Targets[0]).Reading.Info
	p.Close()
	h.want(t, "/probe?target=bedroom", 200, "tapo_up 0")
	h.want(t, "/probe?target=moved", 200, "tapo_up 0")
	for id, want := range map[int]string{1: "read in ", 2: "unreachable after ", 3: "unreachable after "} {
		m := reportText.FindStringSubmatch(h.want(t, fmt.Sprintf("/probes/%d", id), 200))
		report := html.UnescapeString(m[1])
		if !strings.Contains(report, want) || id < 3 && !strings.Contains(report, "plug: P110, hardware 1.0, firmware 1.3.1") {
			t.Errorf("%d:\n%s", id, report)
		}
		for _, private := range []string{username, password, "127.0.0.1", p.Addr().String(), "bedroom", "moved", "no-such-host", info.MAC, info.DeviceID, "Grandmother"} {
			if strings.Contains(strings.ToLower(report), strings.ToLower(private)) {
				t.Errorf("%d has %q:\n%s", id, private, report)
			}
		}
	}
}

func TestRedact(t *testing.T) {
	p := Probe{Target: "tv", host: "tv.lan"}
	if got := p.redact("tv.lan tv.lan tv.lan"); strings.Contains(got, "tv") {
		t.Errorf("%q", got)
	}
	for text, want := range map[string]string{
		"dial tcp 192.168.1.20:80: connect: refused":               "dial tcp ADDRESS: connect: refused",
		"read tcp 10.0.0.2:5000->[fe80::1%eth0]:80: i/o timeout":   "read tcp ADDRESS->ADDRESS: i/o timeout",
		"lookup tv.lan on [2001:db8::1]:53: no such host":          "lookup ADDRESS on ADDRESS: no such host",
		"took 26.5ms, firmware 1.4.6 Build 260312 Rel.101520":      "took 26.5ms, firmware 1.4.6 Build 260312 Rel.101520",
		"the plug AA-BB-CC-00-11-22 of me@example.com is not here": "the plug MAC of EMAIL is not here",
		"device 80062E1B0D9E4AEBB0AE7A5A3F5D6A0B1C2D3E4F answered": "device ID answered",
		"after=1.2s status=200 bytes=1968":                         "after=1.2s status=200 bytes=1968",
	} {
		if got := p.redact(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
