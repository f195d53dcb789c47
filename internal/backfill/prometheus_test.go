// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

var names = Names{Energy: "energy", Power: "power", Outlet: "outlet"}

// server answers as Prometheus does, with one value for some hours of the
// energies and of the powers. It returns the queries that it has received.
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

// TestRoundedTimes: a server's value for an hour is about that hour, also if it
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

// TestOtherJob: it is an error if a server has the instance under another job.
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

// TestServerTrouble: errors contain the server's message, and no password.
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
