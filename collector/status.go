// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/common/version"

	"github.com/tapo-exporter/tapo_exporter/collector/sessions"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// refresh is after how many seconds a browser without JavaScript loads the
// status page again.
const refresh = 10

// maxProbes is how many of the kept probes the status page lists.
const maxProbes = 200

// plugView is a plug on the status page.
type plugView struct {
	Name, Room, Model, Protocol string
	Link                        template.URL // of the probe that reads it
	LastRead                    *time.Time   // nil if it has not been read yet
	Failed                      uint64       // the last probe of it that failed, 0 if none is kept
	Rows                        []outletView
	Problem                     *tapo.Error // nil if the last read succeeded
	Search                      string      // what the filter looks into, made by searchable
	Hidden                      bool        // by the filter
}

// outletView is a row of the status page; a plug that has never been read has
// one as well.
type outletView struct {
	Outlet string // its number and name on a strip; else the name in the app, if it differs from the target
	State  string
	Power  string // drawn
	FedIn  string // empty if nothing is being fed in
	Today  string // drawn
	Trend  *trendView
	Health []finding

	FedInToday string // of plugs that measure the direction
}

// summary totals all plugs. What some feed in is not taken off what others draw.
type summary struct {
	Plugs, Failing    int
	Power, Today      string // drawn
	FedIn, FedInToday string // empty if nothing is being fed in, or nothing measures it
}

// staleAfter is how long after its last reading a plug's values are no longer
// those of now.
const staleAfter = 5 * time.Minute

// statusPage serves GET /: what probes have last read. It asks no plug.
func (e *Exporter) statusPage(w http.ResponseWriter, r *http.Request) {
	c := e.store.Current()
	filter := r.URL.Query().Get("filter")
	probes := e.recentProbes.newestFirst()
	plugs, total := e.viewPlugs(c, lastFailures(probes))
	var unstored error
	if e.rejectionsErr != nil {
		unstored = e.rejectionsErr()
	}
	matching := false
	for i := range plugs {
		plugs[i].Hidden = !matches(plugs[i].Search, filter)
		matching = matching || !plugs[i].Hidden
	}
	e.render(w, "status", map[string]any{
		"Title": "tapo_exporter", "Refresh": refresh, "Version": version.Version, "Warnings": c.Warnings, "Searching": c.Discovery.Enabled,
		"Unstored": unstored, "Filter": filter, "Summary": total, "Plugs": plugs, "Shown": matching, "Probes": probes[:min(len(probes), maxProbes)],
	})
}

// lastFailures returns the last failed probe of each target.
func lastFailures(probes []Probe) map[string]uint64 {
	last := map[string]uint64{}
	for i := range probes { // the newest first
		if p := &probes[i]; p.Err != nil && last[p.Target] == 0 {
			last[p.Target] = p.ID
		}
	}
	return last
}

// viewPlugs returns the plugs of the configuration, those that discovery adds, and
// those that only Prometheus knows.
func (e *Exporter) viewPlugs(c *config.Config, failed map[string]uint64) (plugs []plugView, total summary) {
	var drawn, fedIn, joulesDrawn, joulesFedIn sum
	named := e.locator.Targets() // of the configuration, and discovered ones
	for i, t := range append(named, e.sessions.Unlisted(c)...) {
		state := e.state(t)
		p := viewPlug(t, state, e.sessions.Trends(t))
		p.Failed = failed[t.Name]
		query := url.Values{"target": {t.Name}}
		if i >= len(named) && t.Auth != "" {
			query.Set("auth", t.Auth)
		}
		p.Link = template.URL("/probe?" + query.Encode()) //nolint:gosec // Encode leaves nothing else
		plugs = append(plugs, p)
		total.Plugs++
		if state.Err != nil {
			total.Failing++
		} else if time.Since(state.Reading.Time) <= staleAfter {
			for _, o := range state.Reading.Outlets {
				watts, returned := directions(o.Power)
				drawn.add(watts)
				fedIn.add(returned)
				joulesDrawn.add(o.EnergyToday)
				joulesFedIn.add(o.ReturnedToday)
			}
		}
	}
	total.Power, total.FedIn = inWatts(drawn.Optional), inWatts(fedIn.Optional)
	total.Today, total.FedInToday = inKilowattHours(joulesDrawn.Optional), inKilowattHours(joulesFedIn.Optional)
	return plugs, total
}

// sum adds the values that plugs have given.
type sum struct{ tapo.Optional[float64] }

func (s *sum) add(v tapo.Optional[float64]) {
	if value, known := v.Get(); known {
		so, _ := s.Get()
		s.Optional = tapo.Some(so + value)
	}
}

func viewPlug(t config.Target, state sessions.State, trends sessions.Trends) plugView {
	r := state.Reading
	p := plugView{Name: t.Name, Room: t.Labels["room"], Model: r.Info.Model, Protocol: string(r.Protocol), Problem: state.Err}
	if !r.Time.IsZero() {
		p.LastRead = &r.Time
	}
	if p.Protocol == "" && state.Err != nil {
		p.Protocol = string(state.Err.Protocol)
	}
	for _, o := range r.Outlets {
		p.Rows = append(p.Rows, viewOutlet(t.Name, r, o, state.Err != nil, trends[o.Number]))
	}
	if len(p.Rows) == 0 {
		row := outletView{}
		switch {
		case state.Err != nil:
			row.Health = []finding{{"bad", "cannot be read"}}
		case p.LastRead == nil:
			row.Health = []finding{{"warn", "not read yet: point Prometheus at /sd, or follow the name"}}
		default:
			row.Health = []finding{{"good", "good"}}
		}
		p.Rows = []outletView{row}
	}
	p.Search = p.searchText()
	return p
}

func viewOutlet(target string, r tapo.Reading, o tapo.Outlet, failing bool, points []sessions.TrendPoint) outletView {
	v := outletView{Trend: drawTrend(points)}
	if len(r.Outlets) > 1 {
		v.Outlet = strings.TrimSpace(strconv.Itoa(o.Number) + " " + o.Name)
	} else if searchable(r.Info.Name) != searchable(target) {
		v.Outlet = r.Info.Name
	}
	switch since := time.Since(r.Time); {
	case failing: // the last reading is out of date
		v.Health = []finding{{"bad", "cannot be read"}}
		return v
	case since > staleAfter:
		v.Health = []finding{{"warn", "not read for " + span(since) + ": does Prometheus still scrape it?"}}
		return v
	}
	if on, known := o.On.Get(); known {
		v.State = map[bool]string{true: "on", false: "off"}[on]
	}
	v.Health = health(r, o)
	watts, returned := directions(o.Power)
	if v.FedIn = inWatts(returned); v.FedIn == "" {
		v.Power = inWatts(watts)
	}
	v.Today, v.FedInToday = inKilowattHours(o.EnergyToday), inKilowattHours(o.ReturnedToday)
	return v
}

// searchText is everything about a plug that somebody may filter by.
func (p *plugView) searchText() string {
	words := []string{p.Name, p.Room, p.Model, p.Protocol}
	for _, s := range p.Rows {
		words = append(words, s.Outlet, s.State)
		for _, f := range s.Health {
			words = append(words, f.Text)
		}
	}
	if p.Problem != nil {
		words = append(words, string(p.Problem.Reason))
	}
	return searchable(words...)
}

// searchable returns the words of texts in lower case, each after a blank.
func searchable(texts ...string) string {
	words := strings.FieldsFunc(strings.ToLower(strings.Join(texts, " ")), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return " " + strings.Join(words, " ")
}

// matches reports whether each word of a filter begins one of a searchable text,
// as the page's script does.
func matches(text, filter string) bool {
	for word := range strings.FieldsSeq(searchable(filter)) {
		if !strings.Contains(text, " "+word) {
			return false
		}
	}
	return true
}

func inWatts(v tapo.Optional[float64]) string {
	watts, known := v.Get()
	if !known {
		return ""
	}
	return fmt.Sprintf("%.1f W", watts)
}

// directions returns the power that is drawn, which is 0 while power is fed in, and the
// power that is fed in. A power that the page would show as -0.0 is not fed in.
func directions(power tapo.Optional[float64]) (drawn, fedIn tapo.Optional[float64]) {
	watts, known := power.Get()
	switch {
	case !known:
		return drawn, fedIn
	case watts <= -0.05:
		return tapo.Some(0.0), tapo.Some(-watts)
	}
	return tapo.Some(max(watts, 0)), fedIn
}

func inKilowattHours(v tapo.Optional[float64]) string {
	joules, known := v.Get()
	if !known {
		return ""
	}
	return fmt.Sprintf("%.3f kWh", joules/3.6e6)
}
