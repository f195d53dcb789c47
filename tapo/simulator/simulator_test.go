// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/klap"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
)

func start(t testing.TB, p *Plug) *Plug {
	t.Helper()
	p.Username, p.Password = "u", "p"
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// raw sends bytes and returns the answer.
func raw(t testing.TB, p *Plug, message string) (status int, header http.Header, body []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, message); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, body
}

func post(t testing.TB, p *Plug, path, cookie string, body []byte) (status int, header http.Header, answer []byte) {
	t.Helper()
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: plug\r\nContent-Length: %d\r\n", path, len(body))
	if cookie != "" {
		head += "Cookie: " + cookie + "\r\n"
	}
	return raw(t, p, head+"\r\n"+string(body))
}

// TestForeignProtocols is the table of unauthenticated probes.
func TestForeignProtocols(t *testing.T) {
	const (
		discover = `{"method":"login","params":{"sub_method":"discover"}}`
		nego     = `{"method":"component_nego","params":null}`
	)
	seed := string(make([]byte, 16))
	page := "200 " + stockPage
	for _, tc := range []struct {
		model                          Model
		discover, handshake1, app, get string
	}{
		{P110, `200 {"error_code":1003}`, "200 48 bytes", `200 {"error_code":1003}`, page},
		{P110Compatible, `200 {"error_code":0,"result":{"sub_method":"discover","tpap_preferred":false}}`, "200 48 bytes", `200 {"error_code":1003}`, page},
		{P110TPAP, `200 {"error_code":0,"result":{"mac":"02005E4B5A4D","sub_method":"discover","tpap":{"dac":0,"noc":0,"pake":[2],"port":`, "403 ", `200 {"error_code":1003}`, page},
		{P110Passthrough, page, `200 {"error_code":-1}`, `200 {"error_code":1002}`, page},
	} {
		p := start(t, &Plug{Model: tc.model})
		for path, step := range map[string]struct{ body, want string }{
			"/": {discover, tc.discover}, "/app/handshake1": {seed, tc.handshake1}, "/app": {nego, tc.app}, "/elsewhere": {"", "404 "},
		} {
			status, header, body := post(t, p, path, "", []byte(step.body))
			got := fmt.Sprintf("%d %s", status, body)
			if len(body) == 48 {
				got = fmt.Sprintf("%d 48 bytes", status)
				if cookie := header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "TP_SESSIONID=") || !strings.HasSuffix(cookie, ";TIMEOUT=86400") {
					t.Errorf("cookie %q", cookie)
				}
			}
			if !strings.HasPrefix(got, step.want) || step.want == "403 " && got != step.want {
				t.Errorf("%s %s: %s, want %s", tc.model.Protocol, path, got, step.want)
			}
		}
		if status, header, body := raw(t, p, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); fmt.Sprintf("%d %s", status, body) != tc.get || header.Get("Server") != "SHIP 2.0" {
			t.Errorf("GET: %d %s %v", status, body, header)
		}
	}
}

// TestWebServerQuirks: what plugs do not understand gets the stock page.
func TestWebServerQuirks(t *testing.T) {
	p := start(t, &Plug{})
	const app = "POST /app HTTP/1.1\r\nHost: x\r\n"
	for name, tc := range map[string]struct {
		message, want string
	}{
		"well-formed":             {app + "Content-Length: 2\r\n\r\n{}", `200 {"error_code":1003}`},
		"lower-case length":       {app + "content-length: 2\r\n\r\n{}", "200 " + stockPage},
		"empty header value":      {app + "Cookie: \r\nContent-Length: 2\r\n\r\n{}", "200 " + stockPage},
		"no length":               {app + "\r\n", "500 "},
		"chunks":                  {app + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "500 "},
		"length is no number":     {app + "Content-Length: two\r\n\r\n{}", "400 "},
		"length is negative":      {app + "Content-Length: -2\r\n\r\n{}", "400 "},
		"length is absurd":        {app + "Content-Length: 99999999\r\n\r\n{}", "400 "},
		"no request line":         {"hello\r\n\r\n", "400 "},
		"lower-case other header": {app + "accept: x\r\nContent-Length: 2\r\n\r\n{}", `200 {"error_code":1003}`},
	} {
		status, _, body := raw(t, p, tc.message)
		if got := fmt.Sprintf("%d %s", status, body); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add([]byte("POST /app HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("GET / HTTP/1.1\r\ncookie:\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		req, err := readRequest(bufio.NewReader(bytes.NewReader(data)))
		if err == nil && len(req.body) > maxBody {
			t.Errorf("a body of %d bytes", len(req.body))
		}
	})
}

// klapClient is a login made by hand.
type klapClient struct {
	*klap.Cipher
	cookie string
}

func login(t testing.TB, p *Plug) klapClient {
	t.Helper()
	local := bytes.Repeat([]byte{7}, 16)
	_, header, challenge := post(t, p, "/app/handshake1", "", local)
	cookie, _, _ := strings.Cut(header.Get("Set-Cookie"), ";")
	auth := klap.V2.AuthHash(p.Username, p.Password)
	if status, _, _ := post(t, p, "/app/handshake2", cookie, klap.V2.ClientHash(local, challenge[:16], auth)); status != 200 {
		t.Fatalf("handshake2: %d", status)
	}
	return klapClient{klap.NewCipher(local, challenge[:16], auth), cookie}
}

func (c klapClient) send(t testing.TB, p *Plug, seq int32, frame []byte) int {
	t.Helper()
	status, _, _ := post(t, p, fmt.Sprintf("/app/request?seq=%d", seq), c.cookie, frame)
	return status
}

func (c klapClient) ask(t testing.TB, p *Plug, offset int32, request string) string {
	t.Helper()
	seq := c.InitialSeq() + offset
	status, _, body := post(t, p, fmt.Sprintf("/app/request?seq=%d", seq), c.cookie, c.Seal(seq, []byte(request)))
	if status != 200 {
		return fmt.Sprint(status)
	}
	plain, err := c.Open(seq, body, true)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func TestKLAPIsStrict(t *testing.T) {
	p := start(t, &Plug{})
	if status, _, _ := post(t, p, "/app/handshake1", "", make([]byte, 15)); status != 400 {
		t.Errorf("short seed: %d", status)
	}
	if status, _, _ := post(t, p, "/app/handshake2", "TP_SESSIONID=unknown", make([]byte, 32)); status != 400 {
		t.Errorf("unknown cookie: %d", status)
	}
	_, header, _ := post(t, p, "/app/handshake1", "", make([]byte, 16))
	whole := header.Get("Set-Cookie")
	cookie, _, _ := strings.Cut(whole, ";")
	if status, _, _ := post(t, p, "/app/handshake2", whole, make([]byte, 32)); status != 400 {
		t.Errorf("TIMEOUT sent back: %d", status)
	}
	if status, _, _ := post(t, p, "/app/handshake2", cookie, make([]byte, 32)); status != 403 || p.Stats().LoginFailures != 1 {
		t.Errorf("wrong hash: %d", status)
	}

	c := login(t, p)
	first := c.InitialSeq() + 1
	frame := c.Seal(first, []byte(`{"method":"get_device_info"}`))
	damaged := bytes.Clone(frame)
	damaged[40] ^= 1
	if got := c.send(t, p, first, damaged); got != 403 {
		t.Errorf("damaged: %d", got)
	}
	if got := c.send(t, p, first+1, c.Seal(first+1, []byte(`{}`))); got != 403 {
		t.Errorf("a number left out: %d", got)
	}
	if got := c.send(t, p, first, frame); got != 200 {
		t.Errorf("right: %d", got)
	}
	if got := c.send(t, p, first, frame); got != 403 {
		t.Errorf("repeated: %d", got)
	}
	login(t, p)
	if got := c.send(t, p, first+1, c.Seal(first+1, []byte(`{}`))); got != 403 {
		t.Errorf("after another client's login: %d", got)
	}

	lenient := start(t, &Plug{LenientSequence: true})
	c = login(t, lenient)
	if got := c.ask(t, lenient, 100, `{"method":"get_current_power"}`); !strings.Contains(got, "current_power") {
		t.Errorf("lenient: %s", got)
	}
	if got := c.ask(t, lenient, 99, `{"method":"get_current_power"}`); got != "403" {
		t.Errorf("lenient, backwards: %s", got)
	}
}

func TestMethods(t *testing.T) {
	p := start(t, &Plug{Load: Constant(71.999)})
	c := login(t, p)
	for i, tc := range []struct{ request, want string }{
		{`{"method":"get_current_power"}`, `{"result":{"current_power":71},"error_code":0}`},
		{`{"method":"no_such_method"}`, `{"error_code":-1002}`},
		{`{"method":"get_device_info","params":null}`, `"model":"P110"`},
		{`not JSON`, `{"error_code":-1003}`},
		{`{"method":"multipleRequest"}`, `{"error_code":-1008}`},
		{
			`{"method":"multipleRequest","params":{"requests":[{"method":"get_current_power"},{"method":"x"},{"method":"get_device_info"}]}}`,
			`{"error_code":0,"result":{"responses":[{"method":"get_current_power","result":{"current_power":71},"error_code":0},{"method":"x","error_code":-1002}]}}`,
		},
		{`{"method":"set_device_info","params":{"device_on":false}}`, `{"error_code":0}`},
		{`{"method":"get_current_power"}`, `{"result":{"current_power":0},"error_code":0}`},
		{`{"method":"qs_component_nego"}`, `"is_klap":true`},
		{`{"method":"get_device_usage"}`, `"saved_power"`},
		{`{"method":"get_device_time"}`, `"region":"UTC"`},
	} {
		if got := c.ask(t, p, int32(i+1), tc.request); !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s, want %s", tc.request, got, tc.want)
		}
	}
}

// TestMeter follows the counters over midnight, the month's end and both
// switches of daylight saving.
func TestMeter(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	santiago, err := time.LoadLocation("America/Santiago") // where summer begins at midnight
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name       string
		from, to   time.Time
		today, all float64 // hours
	}{
		{"within a day", time.Date(2026, 5, 10, 8, 0, 0, 0, berlin), time.Date(2026, 5, 10, 9, 30, 0, 0, berlin), 9.5, 9*24 + 9.5},
		{"over midnight", time.Date(2026, 5, 10, 23, 59, 59, 0, berlin), time.Date(2026, 5, 11, 0, 30, 0, 0, berlin), 0.5, 10*24 + 0.5},
		{"over the month's end", time.Date(2026, 5, 31, 23, 0, 0, 0, berlin), time.Date(2026, 6, 1, 2, 0, 0, 0, berlin), 2, 2},
		{"over the year's end", time.Date(2026, 12, 31, 23, 59, 59, 5e8, berlin), time.Date(2027, 1, 1, 0, 0, 30, 0, berlin), 1. / 120, 1. / 120},
		{"into summer", time.Date(2026, 3, 29, 0, 0, 0, 0, berlin), time.Date(2026, 3, 29, 12, 0, 0, 0, berlin), 11, 28*24 + 11},
		{"out of summer", time.Date(2026, 10, 25, 0, 0, 0, 0, berlin), time.Date(2026, 10, 25, 12, 0, 0, 0, berlin), 13, 24*24 + 13},
		{"over a midnight that there is not", time.Date(2026, 9, 5, 22, 0, 0, 0, santiago), time.Date(2026, 9, 6, 3, 0, 0, 0, santiago), 2, 5*24 + 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMeter(Constant(100), true, tc.from.Location(), time.Time{}, tc.from)
			s := m.sample(tc.to)
			for what, got := range map[string][2]float64{
				"today": {s.today.wattHours, 100 * tc.today}, "month": {s.month.wattHours, 100 * tc.all},
				"time on today": {s.today.on.Hours(), tc.today}, "time on in the month": {s.month.on.Hours(), tc.all},
			} {
				if diff := got[0] - got[1]; diff > 1e-6 || diff < -1e-6 {
					t.Errorf("%s: %v, want %v", what, got[0], got[1])
				}
			}
		})
	}
}

func TestMeterCountsOnlyWhileOn(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	m := newMeter(Constant(60), true, time.UTC, time.Time{}, now)
	m.setRelay(false, now.Add(time.Hour))
	m.setRelay(true, now.Add(3*time.Hour))
	s := m.sample(now.Add(4 * time.Hour))
	if s.today.on != 2*time.Hour || int(s.today.wattHours+0.5) != 120 || s.onTime != time.Hour {
		t.Errorf("%+v", s)
	}
	if s := m.sample(now); s.today.wattHours < 0 {
		t.Errorf("a clock that goes backwards: %+v", s)
	}
}

func TestLoadsAreAlive(t *testing.T) {
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for name, load := range map[string]Load{"kettle": Kettle(), "fridge": Fridge(), "TV": TV(), "washing machine": WashingMachine(), "computer": Computer()} {
		lowest, highest := 1e9, 0.0
		for s := range 4 * 3600 {
			w := load.Watts(at.Add(time.Duration(s) * time.Second))
			lowest, highest = min(lowest, w), max(highest, w)
			if w != load.Watts(at.Add(time.Duration(s)*time.Second)) {
				t.Fatalf("%s: two values for one moment", name)
			}
		}
		if lowest < 0 || highest > 3000 || highest < 1.5*lowest+10 {
			t.Errorf("%s: from %v to %v", name, lowest, highest)
		}
	}
}

// TestWholeWattHours: what a plug tells is rounded down.
func TestWholeWattHours(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	p := start(t, &Plug{Load: Constant(10), Now: func() time.Time { return now }})
	c := login(t, p)
	for i, tc := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {359 * time.Second, 0}, {2 * time.Second, 1}, {time.Hour, 11}} {
		now = now.Add(tc.after)
		var reply struct {
			Result energyUsage `json:"result"`
		}
		if err := json.Unmarshal([]byte(c.ask(t, p, int32(i+1), `{"method":"get_energy_usage"}`)), &reply); err != nil {
			t.Fatal(err)
		}
		if reply.Result.TodayEnergy != tc.want {
			t.Errorf("after %v: %d Wh, want %d", tc.after, reply.Result.TodayEnergy, tc.want)
		}
	}
}

func TestCloseWaits(t *testing.T) {
	p := &Plug{Latency: time.Hour}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	p.Close()
	p.Close() // as often as one likes
	if _, err := net.Dial("tcp", p.Addr().String()); err == nil {
		t.Error("it still listens")
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection still stands")
	}
}

func TestStartFails(t *testing.T) {
	p := start(t, &Plug{})
	if err := (&Plug{Listen: p.Addr().String()}).Start(); err == nil {
		t.Error("the port is in use")
	}
	if err := (&Plug{Region: "Mars/Olympus"}).Start(); err == nil {
		t.Error("there is no such region")
	}
}

// TestPassthroughSteps: each step needs the one before.
func TestPassthroughSteps(t *testing.T) {
	p := start(t, &Plug{Model: P110Passthrough})
	for request, want := range map[string]string{
		`{"method":"handshake","params":{"key":"x"}}`: `{"error_code":-1010}`,
		string(passthrough.SealedRequest("AAAA")):     `{"error_code":9999}`,
		`not JSON`:              `{"error_code":-1003}`,
		`{"method":"anything"}`: `{"error_code":1002}`,
	} {
		if _, _, body := post(t, p, "/app", "", []byte(request)); string(body) != want {
			t.Errorf("%s: %s, want %s", request, body, want)
		}
	}
}
