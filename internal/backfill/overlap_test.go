// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

var names = Names{Energy: "energy", Power: "power", Outlet: "outlet"}

// server answers as Prometheus does: with one value for each of some hours of
// the energies, another one of the powers, and returns the queries.
func server(t *testing.T, least, most map[time.Time]float64, powers []time.Time) (p Prometheus, queries *[]url.Values) {
	t.Helper()
	queries = &[]url.Values{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/prom/api/v1/query_range" || r.ParseForm() != nil {
			http.NotFound(w, r)
			return
		}
		*queries = append(*queries, r.PostForm)
		values := map[time.Time]float64{}
		switch query := r.PostForm.Get("query"); {
		case strings.Contains(query, "power"):
			for _, hour := range powers {
				values[hour] = 1
			}
		case strings.HasPrefix(query, "min"):
			values = least
		default:
			values = most
		}
		var points []string
		for hour, v := range values {
			points = append(points, fmt.Sprintf(`[%d.999,"%v"]`, hour.Unix()+3599, v))
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"outlet":"1"},"values":[%s]},{"metric":{},"values":[[1,"1"]]}]}}`, strings.Join(points, ","))
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL + "/prom")
	if err != nil {
		t.Fatal(err)
	}
	return Prometheus{URL: u, Names: names}, queries
}

// TestRemoveOverlap: the hours that a server has are removed from each series, and
// the counter stays between its values before and after, in the same month.
func TestRemoveOverlap(t *testing.T) {
	loc := berlin(t)
	hour := func(month time.Month, day, hour int) time.Time {
		return time.Date(2026, month, day, hour, 0, 0, 0, time.UTC)
	}
	least := map[time.Time]float64{hour(9, 1, 3): 500, hour(9, 1, 9): 1700}
	most := map[time.Time]float64{hour(9, 1, 3): 600, hour(9, 1, 9): 1800}
	p, queries := server(t, least, most, []time.Time{hour(9, 1, 5)})
	o := Outlet{Number: 1, Location: loc}
	for at := hour(8, 31, 20); at.Before(hour(9, 1, 12)); at = at.Add(30 * time.Minute) {
		v := at.Sub(hour(9, 1, 0)).Hours() * 200 // 600 at three o'clock, 2000 at ten
		o.Energy, o.Power = append(o.Energy, Sample{at, max(v, 0) + 5000}), append(o.Power, Sample{at, 7})
		if v >= 0 {
			o.Energy[len(o.Energy)-1].Value = v
		}
	}
	outlets := []Outlet{o}
	if err := p.RemoveOverlap(t.Context(), `j"ob`, "fridge", outlets); err != nil {
		t.Fatal(err)
	}
	for _, s := range outlets[0].Energy {
		v := s.Time.Sub(hour(9, 1, 0)).Hours() * 200
		want := max(v, 0)
		switch at := s.Time; {
		case at.Truncate(time.Hour).Equal(hour(9, 1, 3)), at.Truncate(time.Hour).Equal(hour(9, 1, 9)):
			t.Errorf("%v is there", at)
		case at.Before(hour(8, 31, 22)): // last month in Berlin
			want = 5000
		case v < 0:
			want = 500 // since that is what there is at three
		case at.Before(hour(9, 1, 3)):
			want = min(v, 500)
		case at.Before(hour(9, 1, 9)):
			want = min(max(v, 600), 1700)
		default:
			want = max(v, 1800)
		}
		if s.Value != want {
			t.Errorf("%v J at %v, want %v", s.Value, s.Time, want)
		}
	}
	if n := len(outlets[0].Energy); n != 32-4 {
		t.Errorf("%d energies", n)
	}
	if n := len(outlets[0].Power); n != 32-2 {
		t.Errorf("%d powers", n)
	}
	for _, form := range *queries {
		if !strings.Contains(form.Get("query"), `{job="j\"ob",instance="fridge"}[1h]`) || form.Get("step") != "1h" || !strings.HasSuffix(form.Get("start"), "59:59.999Z") {
			t.Errorf("%v", form)
		}
	}
}

// TestClamp: an hour in which a month ends in the plug's zone clamps nothing, nor
// does a value that is far off, which is another plug's.
func TestClamp(t *testing.T) {
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	border := time.Date(2026, 8, 31, 18, 0, 0, 0, time.UTC) // the month ends at half past
	h := hourly{border: {0, 9000}}
	samples := []Sample{{border.Add(-time.Hour), 7000}, {border.Add(90 * time.Minute), 100}}
	h.clamp(samples, samples, kolkata)
	if samples[0].Value != 7000 || samples[1].Value != 100 {
		t.Errorf("%v", samples)
	}
	h = hourly{border.Add(-10 * time.Hour): {6e8, 6e8}}
	h.clamp(samples, samples, kolkata)
	if samples[0].Value != 7000 {
		t.Errorf("%v", samples)
	}
}

// TestMonthEnds: what a counter has come to in a month is kept in the hour in
// which a server went down, unless it came back in the next one.
func TestMonthEnds(t *testing.T) {
	end := time.Date(2026, 8, 31, 23, 0, 0, 0, time.UTC)
	samples := []Sample{{end.Add(30 * time.Minute), 3000}, {end.Add(time.Hour - time.Second), 4500}, {end.Add(time.Hour), 0}}
	for _, tc := range []struct {
		h    hourly
		want int
	}{
		{hourly{end: {2000, 3100}}, 2},
		{hourly{end: {2000, 5000}}, 1},
		{hourly{end: {2000, 3100}, end.Add(time.Hour): {0, 10}}, 0},
	} {
		if left := tc.h.withoutEnergies(slices.Clone(samples), time.UTC); len(left) != tc.want {
			t.Errorf("%v: %v", tc.h, left)
		}
	}
}

// TestRoundedTimes: what a server says of an hour is about that hour, also if it
// rounds the times of answers.
func TestRoundedTimes(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"outlet":"2"},"values":[[7200,"5"],[14399.999,"6"]]}]}}`)
	}))
	defer s.Close()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Prometheus{URL: u, Names: names}.coverage(t.Context(), "m", "j", "i", time.Unix(0, 0), time.Unix(20000, 0))
	if _, first := got[2][time.Unix(3600, 0).UTC()]; err != nil || !first || len(got[2]) != 2 || got[2][time.Unix(10800, 0).UTC()].lowest != 6 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestOtherJob: a server that has the instance under another job is no server that
// has nothing.
func TestOtherJob(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		result := `{"resultType":"matrix","result":[]}`
		if r.URL.Path == "/api/v1/query" {
			result = `{"resultType":"vector","result":[{"metric":{"job":"plugs"},"value":[1,"1"]}]}`
		}
		fmt.Fprintf(w, `{"status":"success","data":%s}`, result)
	}))
	defer s.Close()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	outlets := []Outlet{{Number: 1, Energy: []Sample{{time.Now(), 1}}}}
	if err := (Prometheus{URL: u, Names: names}).RemoveOverlap(t.Context(), "tapo", "fridge", outlets); err == nil || !strings.Contains(err.Error(), "give --job=plugs") {
		t.Error(err)
	}
	if err := (Prometheus{URL: u, Names: names}).RemoveOverlap(t.Context(), "plugs", "fridge", outlets); err != nil {
		t.Error(err)
	}
}

// TestLongRange: no query is about more points than a server allows.
func TestLongRange(t *testing.T) {
	p, queries := server(t, nil, nil, nil)
	to := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	if _, err := p.coverage(t.Context(), "m", "j", "i", to.AddDate(-2, 0, 0), to); err != nil || len(*queries) != 4 {
		t.Errorf("%d queries, %v", len(*queries), err)
	}
	last := ""
	for _, form := range *queries {
		start, err1 := time.Parse(time.RFC3339, form.Get("start"))
		end, err2 := time.Parse(time.RFC3339, form.Get("end"))
		if err1 != nil || err2 != nil || end.Sub(start) >= 11000*time.Hour || end.Before(start) {
			t.Errorf("%v", form)
		}
		last = form.Get("end")
	}
	if last != "2026-09-01T00:59:59.999Z" {
		t.Error(last)
	}
}

// TestServerTrouble: what a server says is passed on, and no password.
func TestServerTrouble(t *testing.T) {
	for answer, want := range map[string]string{
		`{"status":"error","error":"too many points"}`: "too many points",
		`<html>`:      "does not answer as Prometheus does",
		`{}`:          "does not answer as Prometheus does",
		`unavailable`: "503",
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if answer == "unavailable" {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			fmt.Fprint(w, answer)
		}))
		u, err := url.Parse(strings.Replace(s.URL, "http://", "http://me:hidden@", 1))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		err = Prometheus{URL: u, Names: names}.RemoveOverlap(t.Context(), "j", "i", []Outlet{{Energy: []Sample{{now, 1}}}})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", answer, err)
		}
		s.Close()
		err = Prometheus{URL: u, Names: names}.RemoveOverlap(t.Context(), "j", "i", []Outlet{{Energy: []Sample{{now, 1}}}})
		if err == nil || strings.Contains(err.Error(), "hidden") {
			t.Error(err)
		}
	}
}
