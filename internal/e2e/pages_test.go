// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"image/png"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/demo"
	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

var update = flag.Bool("update", false, "write the picture of the README anew")

const picture = root + "/docs/images/status.png"

// hostile is a name that wants to be more than a name.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}`

// serveHome starts an exporter of the home of --demo and of the targets in more.
// It returns its URL and the home's plugs by name.
func serveHome(t *testing.T, more string) (string, map[string]*simulator.Plug) {
	t.Helper()
	plugs := map[string]*simulator.Plug{}
	var targets strings.Builder
	fmt.Fprintf(&targets, "auths: {home: {username: %s, password: %s}}\ntargets:\n", demo.Username, demo.Password)
	for _, a := range demo.Home() {
		if err := a.Plug.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Plug.Close() })
		labels, err := json.Marshal(a.Labels)
		if err != nil {
			t.Fatal(err)
		}
		plugs[a.Name] = a.Plug
		fmt.Fprintf(&targets, "  - {name: %s, address: '%s', labels: %s, allow_passthrough: %t}\n", a.Name, a.Plug.Addr(), labels, a.Plug.Model.Protocol == simulator.Passthrough)
	}
	path := filepath.Join(t.TempDir(), "targets.yml")
	if err := os.WriteFile(path, []byte(targets.String()+more), 0o600); err != nil {
		t.Fatal(err)
	}
	return "http://" + exporter(t, nil, "--config.file="+path), plugs
}

// probeAll reads every plug, as Prometheus does.
func probeAll(t *testing.T, address string) {
	t.Helper()
	var groups []struct{ Labels map[string]string }
	if err := json.Unmarshal([]byte(hometest.MustGet(t, address+"/sd")), &groups); err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		hometest.MustGet(t, address+"/probe?target="+url.QueryEscape(g.Labels["__param_target"]))
	}
}

// contrasts returns what is hard to read: texts of which the contrast with the
// background is below 4.5 to 1 (WCAG 2, AA).
const contrasts = `(() => {
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility()) continue;
    seen++;
    const [a, b] = [luminance(parse(getComputedStyle(e).color)), luminance(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) found.push(walk.currentNode.data.trim());
  }
  return seen < 10 ? ['only ' + seen + ' texts'] : found;
})()`

// TestPagesInChromium looks at the pages as people do: on a desktop and on a
// phone, by day and by night.
func TestPagesInChromium(t *testing.T) {
	t.Parallel()
	tool(t, "chromium")
	address, plugs := serveHome(t, "  - {name: heater, address: '127.0.0.1:1', labels: {room: bathroom}}\n")
	for range 12 {
		probeAll(t, address)
		time.Sleep(100 * time.Millisecond)
	}
	b := newBrowser(t)
	failed := "/probes/11" // of heater, which is the eleventh
	for _, size := range [][2]int{{1280, 860}, {390, 844}} {
		for _, theme := range []string{"light", "dark"} {
			for _, path := range []string{"/", failed} {
				where := fmt.Sprint(path, " ", size, " ", theme)
				b.look(size[0], size[1], theme)
				b.open(address + path)
				shot := b.screenshot()
				if image, err := png.Decode(bytes.NewReader(shot)); err != nil || image.Bounds().Dx() != size[0] || image.Bounds().Dy() != size[1] {
					t.Errorf("%s: picture %v", where, err)
				}
				if *update && path == "/" {
					name := map[bool]string{true: picture, false: filepath.Join(os.TempDir(), strings.ReplaceAll(where, " ", "-")[2:]+".png")}[size[0] == 1280 && theme == "light"]
					if err := os.WriteFile(name, shot, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				var overflow int
				b.eval(&overflow, `document.documentElement.scrollWidth - innerWidth`)
				if overflow > 0 {
					t.Errorf("%s: %d pixels too wide", where, overflow)
				}
				var dim []string
				b.eval(&dim, contrasts)
				if len(dim) > 0 {
					t.Errorf("%s: too little contrast: %q", where, dim)
				}
			}
		}
	}
	b.quiet("looking")

	b.open(address + "/")
	b.eval(new(int), `window.marker = 1`)
	b.eval(new(bool), `document.getElementById('filter').focus() || true`)
	b.call(nil, "Input.insertText", map[string]any{"text": "cannot bath"})
	if shown := b.visible("tbody[data-search]"); len(shown) != 1 || !strings.Contains(shown[0], "heater") || !strings.Contains(shown[0], "unreachable") {
		t.Errorf("the filter shows %q", shown)
	}
	b.eval(new(bool), `document.getElementById('filter').select() || true`)
	b.call(nil, "Input.insertText", map[string]any{"text": "outside"})
	if shown := b.visible("tbody[data-search] [data-label=State]"); !slices.Equal(shown, []string{"off"}) {
		t.Errorf("the lights outside are %q", shown)
	}
	plugs["porch-lights"].SetRelay(true)
	probeAll(t, address)
	eventually(t, 25*time.Second, func() string {
		if shown := b.visible("tbody[data-search] [data-label=State]"); !slices.Equal(shown, []string{"on"}) {
			return fmt.Sprintf("the lights outside are %q", shown)
		}
		return ""
	})
	var marker int
	b.eval(&marker, `window.marker || 0`)
	if marker != 1 {
		t.Error("the page was loaded again instead of updating itself")
	}
	b.eval(new(bool), `document.getElementById('filter').select() || true`)
	b.call(nil, "Input.insertText", map[string]any{"text": "hi-fi"})
	b.eval(new(bool), `document.querySelectorAll('tbody[data-search] a[href*=hi-fi]')[2].focus() || true`)
	before := b.visible("tbody[data-search] time")
	eventually(t, 25*time.Second, func() string {
		if now := b.visible("tbody[data-search] time"); slices.Equal(now, before) {
			return "the page does not update"
		}
		return ""
	})
	var focused int
	b.eval(&focused, `[...document.querySelectorAll('tbody[data-search] a[href*=hi-fi]')].indexOf(document.activeElement)`)
	if focused != 2 {
		t.Errorf("an update moved the focus to link %d", focused)
	}
	b.open(address + failed)
	b.eval(new(bool), `document.getElementById('copy').click() || true`)
	if said := b.visible("#copy"); !slices.Equal(said, []string{"Copied"}) {
		t.Errorf("the button says %q", said)
	}
	b.quiet("using")

	b.open(address + "/")
	b.eval(new(bool), `(window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))) && true`) // as when it is down
	eventually(t, 25*time.Second, func() string {
		if said := b.visible("#stale"); len(said) != 1 || !strings.Contains(said[0], "does not answer") {
			return fmt.Sprintf("values stand as if they were new: %q", said)
		}
		return ""
	})
}

// TestHostileNamesInChromium wants names to be text, wherever they come from.
func TestHostileNamesInChromium(t *testing.T) {
	t.Parallel()
	tool(t, "chromium")
	plug := &simulator.Plug{Model: simulator.P304M, Username: demo.Username, Password: demo.Password, Outlets: []simulator.Outlet{{Name: hostile}, {Name: hostile}}}
	if err := plug.Start(); err != nil {
		t.Fatal(err)
	}
	defer plug.Close()
	address, _ := serveHome(t, fmt.Sprintf("  - {name: '%s', address: '%s', labels: {room: '%s'}}\n  - {name: '%s2', address: '127.0.0.1:1'}\n  - {name: %s, address: '127.0.0.1:1', labels: {room: %s}}\n",
		hostile, plug.Addr(), hostile, hostile, strings.Repeat("n", 100), strings.Repeat("r", 100)))
	probeAll(t, address)
	b := newBrowser(t)
	for _, path := range []string{"/", "/?filter=" + url.QueryEscape(hostile), "/probes/11", "/probes/12"} {
		b.open(address + path)
		var elements int
		b.eval(&elements, `document.querySelectorAll('script, img, iframe, object').length`)
		if elements != 1 {
			t.Errorf("%s has %d elements", path, elements)
		}
	}
	for _, width := range []int{320, 390, 1000, 1280} {
		b.look(width, 800, "light")
		b.open(address + "/")
		var overflow int
		b.eval(&overflow, `document.documentElement.scrollWidth - innerWidth`)
		if overflow > 0 {
			t.Errorf("%d pixels too wide at %d", overflow, width)
		}
	}
	b.open(address + "/")
	if shown := b.visible("tbody[data-search] th"); !slices.Contains(shown, hostile+" 1 "+hostile) {
		t.Errorf("no name as it is among %q", shown)
	}
	b.quiet("hostile names")
}

// TestPagesWithoutJavaScript wants them to refresh, and to filter.
func TestPagesWithoutJavaScript(t *testing.T) {
	t.Parallel()
	tool(t, "chromium")
	address, _ := serveHome(t, "")
	probeAll(t, address)
	b := newBrowser(t)
	b.call(nil, "Emulation.setScriptExecutionDisabled", map[string]any{"value": true})
	b.open(address + "/?filter=kitchen")
	if shown := b.visible("tbody[data-search] th"); !slices.Equal(shown, []string{"kettle", "fridge"}) {
		t.Errorf("in the kitchen are %q", shown)
	}
	loads := len(b.seen("Page.loadEventFired"))
	eventually(t, 20*time.Second, func() string {
		if len(b.seen("Page.loadEventFired")) == loads {
			return "the page does not refresh"
		}
		return ""
	})
	b.quiet("without JavaScript")
}

// TestPicture wants the README's picture to be there.
func TestPicture(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	shot, err := os.ReadFile(picture)
	if err != nil || !strings.Contains(string(text), strings.TrimPrefix(picture, root+"/")) || http.DetectContentType(shot) != "image/png" {
		t.Errorf("the README has no picture of the status page: %v", err)
	}
}
