// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package rejections

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEarlierFile: an entry that has no time counts as used now.
func TestEarlierFile(t *testing.T) {
	inYear(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "rejections.json")
		writeFile(t, path, `{"a": {"attempts_left": 5}, "b": null, "c": 5, "d": {"used":"yesterday","state":{"x":1}}}`)
		f, log := opened(t, path)
		wantLoaded(t, f, "a", `{"attempts_left":5}`)
		wantLoaded(t, f, "b", "")
		wantLoaded(t, f, "c", "5")
		wantLoaded(t, f, "d", `{"x":1}`)
		f.mustClose(t)
		time.Sleep(29 * 24 * time.Hour)
		again, _ := opened(t, path)
		wantLoaded(t, again, "a", `{"attempts_left":5}`)
		if log.String() != "" {
			t.Errorf("logged: %s", log.String())
		}
	})
}

// TestClockIsSet after the start, as on a computer without a battery: no entry is forgotten,
// or kept for ever, and the file gets the right times.
func TestClockIsSet(t *testing.T) {
	inYear(t, func(t *testing.T) {
		for name, used := range map[string]string{
			"never set":           "1970-01-01T00:00:10Z",
			"set back":            "2077-01-01T00:00:00Z",
			"set forward by days": "2026-11-20T00:00:00Z",
		} {
			path := filepath.Join(t.TempDir(), "rejections.json")
			f, _ := opened(t, path)
			f.Save("ours", []byte("1"))
			f.mustSync(t)
			// What f has written has this time by the clock that has been set.
			writeFile(t, path, `{"ours": {"used": "`+used+`", "state": 1}, "other": {"used": "2026-12-30T00:00:00Z", "state": 2}}`)
			f.mustSync(t)
			if got := readFile(t, path); !strings.Contains(got, `"ours": {"used":"2027-01-01T00:00:00Z","state":1}`) {
				t.Errorf("%s: the time is not corrected: %s", name, got)
			}
			wantLoaded(t, f, "ours", "1")
			wantLoaded(t, f, "other", "2")
		}
	})
}

func TestLastUse(t *testing.T) {
	now := time.Now()
	if now.Before(earliest) {
		t.Fatalf("the clock is wrong: %s", now)
	}
	day := 24 * time.Hour
	for name, tc := range map[string]struct {
		used time.Time
		want time.Duration // ago
	}{
		"a day ago":          {now.Add(-day).Round(0), day},
		"in the future":      {now.Add(day).Round(0), 0},
		"before the program": {earliest.Add(-time.Second), 0},
		"none":               {time.Time{}, 0},
	} {
		got := lastUse(tc.used, now)
		if now.Sub(got) != tc.want || !strings.Contains(got.String(), " m=") {
			t.Errorf("%s: %s, want %s before %s, with a monotonic reading", name, got, tc.want, now)
		}
	}
}

// TestLongEntry is left out, and the others stay.
func TestLongEntry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rejections.json")
	writeFile(t, path, `{"long": {"state": "`+strings.Repeat("x", maxEntrySize)+`"}, "a": {"state": 1}}`)
	f, log := opened(t, path)
	wantLoaded(t, f, "a", "1")
	wantLoaded(t, f, "long", "")
	if strings.Count(log.String(), "level=WARN") != 1 {
		t.Errorf("logged: %s", log.String())
	}
}

// TestForgetLargeFile: what is kept can be read again.
func TestForgetLargeFile(t *testing.T) {
	now, entries := time.Now(), map[string]*entry{}
	for i := range 40 {
		used := now.Add(-time.Duration(i) * time.Minute)
		entries[strings.Repeat("\x01", i)] = &entry{state: []byte(`"` + strings.Repeat("x", maxEntrySize-2) + `"`), used: used}
	}
	forget(entries, now)
	data := encoded(entries)
	if len(data) > maxSize || len(data) < maxSize-maxEntrySize-1000 {
		t.Errorf("%d bytes", len(data))
	}
	if again, dropped, err := parse(data, now); err != nil || dropped > 0 || len(again) != len(entries) || again[""] == nil {
		t.Errorf("%d of %d entries, %d dropped: %v", len(again), len(entries), dropped, err)
	}
}

func encoded(entries map[string]*entry) []byte {
	var lines []line
	for address, e := range entries {
		lines = append(lines, line{entry: e, address: address, used: e.used.UTC().Truncate(time.Second)})
	}
	return encode(lines)
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"192.168.1.20:80": {"used": "2026-12-01T10:00:00Z", "state": {"plugs": {"AA-BB-CC-00-11-22": {"attempts_left": 9}}}}, "unlisted": {"used": "2026-12-01T10:00:00+01:00", "state": 1}}`,
		`{"192.168.1.20:80": {"attempts_left": 5, "refused": [{"salt": "AA=="}]}}`,
		`{"a": {"used": 5, "state": null}, "b": null, "c": {"State": [], "USED": "9999-12-31T23:59:59Z"}}`,
		`{"a": {"used": "2026-12-01T10:00:00Z", "state": {"x"`, "{half", "null", "[]", "", "\x00", `{"\ud800": 1, "` + "\xff" + `": "` + "\xff" + `"}`, `{"a": 1} {}`,
	} {
		f.Add([]byte(seed))
	}
	now := time.Date(2026, time.December, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, _, err := parse(data, now)
		if err != nil {
			return
		}
		states := func(entries map[string]*entry) map[string]string {
			texts := map[string]string{}
			for address, e := range entries {
				if e.used.After(now) {
					t.Errorf("%q is used in the future", address)
				}
				texts[address] = string(e.state)
			}
			return texts
		}
		again, dropped, err := parse(encoded(entries), now)
		if err != nil || dropped > 0 {
			t.Fatalf("not read again: %v, %d dropped", err, dropped)
		}
		if diff := cmp.Diff(states(entries), states(again)); diff != "" {
			t.Error(diff)
		}
	})
}
