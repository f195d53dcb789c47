// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/version"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// step is a request to the plug and its reply, or something that happened
// between.
type step struct {
	After          time.Duration // since the probe began
	Name           string        // "" if it is no request
	Status         int64         // of HTTP, 0 if nothing was answered
	Sent, Received int64         // bytes of the bodies
	Took           time.Duration
	Answered       bool // or failed
	Text           string
}

func (e *Exporter) probePage(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	probe, ok := e.recentProbes.find(id)
	if err != nil || !ok {
		http.Error(w, "this probe is not kept (any more): --history.limit", http.StatusNotFound)
		return
	}
	e.render(w, "probe", map[string]any{
		"Title": fmt.Sprintf("Probe %d of %s", probe.ID, probe.Target), "Refresh": 0, "Probe": probe, "Report": probe.report(),
	})
}

// Steps puts the log of a probe in order: a reply belongs to the request that
// waits for one. The keys of attributes are those of package httpwire, whose lines
// "Request to the plug" and "Reply of the plug" have a step.
func (p Probe) Steps() []step {
	var steps []step
	for _, line := range p.lines {
		s := step{After: line.Time.Sub(p.Start)}
		outcome := false
		text := []string{line.Message}
		line.Attrs(func(a slog.Attr) bool {
			switch v := a.Value; {
			case a.Key == "step":
				s.Name = v.String()
			case a.Key == "status" && v.Kind() == slog.KindInt64:
				s.Status, s.Answered = v.Int64(), true
			case a.Key == "bytes" && v.Kind() == slog.KindInt64:
				s.Sent = v.Int64()
			case a.Key == "took" && v.Kind() == slog.KindDuration:
				s.Took = v.Duration()
			case a.Key == "err" && s.Name != "":
				s.Text = v.String()
			case a.Key == "advice":
				outcome = true
			case a.Key == "target": // the title of the page has it
			default:
				text = append(text, a.Key+" "+v.String())
			}
			return true
		})
		switch asked := waiting(steps, s.Name); {
		case outcome: // the page shows it above
		case s.Name == "":
			s.Text = strings.Join(text, ", ")
			steps = append(steps, s)
		case s.Answered && asked != nil:
			asked.Status, asked.Received, asked.Took, asked.Answered, asked.Text = s.Status, s.Sent, s.Took, true, s.Text
		default:
			steps = append(steps, s)
		}
	}
	return steps
}

// waiting returns the last request of a name, if it has no reply yet.
func waiting(steps []step, name string) *step {
	for i := range slices.Backward(steps) {
		if s := &steps[i]; s.Name == name {
			if s.Answered {
				return nil
			}
			return s
		}
	}
	return nil
}

func (s step) String() string {
	if s.Name == "" {
		return s.Text
	}
	if !s.Answered {
		return fmt.Sprintf("%s: sent %d bytes, no reply yet", s.Name, s.Sent)
	}
	text := fmt.Sprintf("%s: sent %d bytes, took %v", s.Name, s.Sent, s.Took.Round(100*time.Microsecond))
	if s.Status != 0 {
		text += fmt.Sprintf(", status %d, received %d bytes", s.Status, s.Received)
	}
	if s.Text != "" {
		text += ", " + s.Text
	}
	return text
}

// report is the probe as text that can be shown to strangers.
func (p Probe) report() string {
	var head, b strings.Builder
	fmt.Fprintf(&head, "tapo_exporter %s, %s, %s/%s\n", cmp.Or(version.Version, "of unknown version"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(&head, "plug: %s, hardware %s, firmware %s, %s\n", cmp.Or(p.Info.Model, "unknown"), cmp.Or(p.Info.Hardware, "unknown"),
		cmp.Or(p.Info.Firmware, "unknown"), cmp.Or(string(p.Protocol), "protocol unknown"))
	if p.Err == nil {
		fmt.Fprintf(&b, "read in %v\n\n", p.Took.Round(time.Millisecond))
	} else {
		fmt.Fprintf(&b, "%s after %v: %v\n\n", p.Err.Reason, p.Took.Round(time.Millisecond), p.Err.Err)
	}
	for _, s := range p.Steps() {
		fmt.Fprintf(&b, "%v %v\n", s.After.Round(100*time.Microsecond), s)
	}
	return head.String() + p.redact(b.String())
}

var (
	quoted    = regexp.MustCompile(`"[^"]*"`)
	emails    = regexp.MustCompile(`[^\s"'<>]+@[^\s"'<>]+`)
	macs      = regexp.MustCompile(`(?i)\b[0-9a-f]{2}([-:][0-9a-f]{2}){5}\b`)
	addresses = regexp.MustCompile(`(?i)\[?[0-9a-f]*[.:][0-9a-f.:]*[0-9a-f](%[\w.-]*\w)?(\]:\d+)?`)
	deviceIDs = regexp.MustCompile(`(?i)\b[0-9a-f]{12,}\b`)
)

// redact removes what tells where and whose a plug is. Names of targets and
// plugs are in no error.
func (p Probe) redact(text string) string {
	if p.Err != nil && p.Err.Reason == tapo.NotAPlug {
		text = quoted.ReplaceAllString(text, `"…"`) // whatever that host calls itself
	}
	if p.host != "" {
		host := regexp.MustCompile(`(?i)(^|[^\w-])` + regexp.QuoteMeta(p.host) + `($|[^\w-])`)
		for range 2 { // one blank may belong to two
			text = host.ReplaceAllString(text, "${1}ADDRESS$2")
		}
	}
	text = emails.ReplaceAllString(text, "EMAIL")
	text = macs.ReplaceAllString(text, "MAC")
	text = addresses.ReplaceAllStringFunc(text, func(s string) string {
		if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
			return "ADDRESS"
		}
		if _, err := netip.ParseAddrPort(s); err == nil {
			return "ADDRESS"
		}
		return s
	})
	return deviceIDs.ReplaceAllString(text, "ID")
}
