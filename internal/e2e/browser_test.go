// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
)

// browser is a page in a headless Chromium, driven over the pipe of the DevTools
// protocol (https://chromedevtools.github.io/devtools-protocol/).
type browser struct {
	t       *testing.T
	out     io.Writer
	session string

	mu      sync.Mutex
	next    int
	answers map[int]chan message
	events  []message
}

type message struct {
	ID     int             `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
	Session string `json:"sessionId,omitempty"`
}

// newBrowser starts one, which ends with the test.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	toRead, commands, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	replies, toWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tool(t, "chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{toRead, toWrite} // 3 and 4, as the flag has it
	var said hometest.Buffer
	cmd.Stderr = &said
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	toRead.Close()
	toWrite.Close()
	b := &browser{t: t, out: commands, answers: map[int]chan message{}}
	go b.listen(replies)
	t.Cleanup(func() {
		commands.Close() // which ends it
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("chromium said:\n%s", said.String())
		}
	})
	var target struct{ TargetID, SessionID string }
	b.call(&target, "Target.createTarget", map[string]any{"url": "about:blank"})
	b.call(&target, "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true})
	b.session = target.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(nil, domain+".enable", nil)
	}
	return b
}

func (b *browser) listen(r io.Reader) {
	in := bufio.NewReader(r)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
			continue
		}
		b.mu.Lock()
		if answer := b.answers[m.ID]; m.ID != 0 && answer != nil {
			answer <- m
		} else {
			b.events = append(b.events, m)
		}
		b.mu.Unlock()
	}
}

// call sends a command and waits for its result.
func (b *browser) call(result any, method string, params any) {
	b.t.Helper()
	encoded, err := json.Marshal(params)
	if err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	b.next++
	id, answer := b.next, make(chan message, 1)
	b.answers[id] = answer
	b.mu.Unlock()
	command, err := json.Marshal(message{ID: id, Method: method, Params: encoded, Session: b.session})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.out.Write(append(command, 0)); err != nil {
		b.t.Fatal(err)
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
	case <-time.After(30 * time.Second):
		b.t.Fatalf("%s: no answer", method)
	}
}

// open loads a page.
func (b *browser) open(url string) {
	b.t.Helper()
	loads := len(b.seen("Page.loadEventFired"))
	b.call(nil, "Page.navigate", map[string]any{"url": url})
	eventually(b.t, 20*time.Second, func() string {
		if len(b.seen("Page.loadEventFired")) == loads {
			return url + " does not load"
		}
		return ""
	})
}

// seen returns the parameters of the events of a kind.
func (b *browser) seen(method string) (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e.Method == method {
			all = append(all, string(e.Params))
		}
	}
	return all
}

// eval returns the value of a JavaScript expression.
func (b *browser) eval(into any, expression string) {
	b.t.Helper()
	var result struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails any
	}
	b.call(&result, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true})
	if result.ExceptionDetails != nil {
		b.t.Fatalf("%s: %v", expression, result.ExceptionDetails)
	}
	if err := json.Unmarshal(result.Result.Value, into); err != nil {
		b.t.Fatal(err)
	}
}

// look sets the size of the window and the theme.
func (b *browser) look(width, height int, theme string) {
	b.t.Helper()
	b.call(nil, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
	b.call(nil, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": theme}}})
}

// screenshot returns a PNG of the window.
func (b *browser) screenshot() []byte {
	b.t.Helper()
	var result struct{ Data []byte }
	b.call(&result, "Page.captureScreenshot", map[string]any{"format": "png"})
	return result.Data
}

// quiet fails the test if something was written to the console, thrown, asked or
// refused.
func (b *browser) quiet(where string) {
	b.t.Helper()
	for _, kind := range []string{"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening"} {
		for _, event := range b.seen(kind) {
			b.t.Errorf("%s: %s %s", where, kind, event)
		}
	}
}

// visible returns the texts of the elements that a selector finds and that are
// shown.
func (b *browser) visible(selector string) (texts []string) {
	b.t.Helper()
	b.eval(&texts, fmt.Sprintf(`[...document.querySelectorAll(%q)].filter((e) => e.checkVisibility()).map((e) => e.innerText.trim())`, selector))
	return texts
}
