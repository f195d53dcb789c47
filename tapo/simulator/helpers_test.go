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

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/spake2plus"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/klap"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/tpap"
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

// raw sends bytes over a new connection and returns the response.
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

// klapClient is a KLAP session. It sends what a test gives it, right or wrong.
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

// prover logs in with TPAP step by step. A test can change or omit a step.
type prover struct {
	*testing.T
	plug *Plug
}

// step sends one step of the login, and returns the error code and the result.
func (p prover) step(params any) (code int, result map[string]json.RawMessage) {
	p.Helper()
	body, err := json.Marshal(map[string]any{"method": "login", "params": params})
	if err != nil {
		p.Fatal(err)
	}
	_, _, answer := post(p, p.plug, "/", "", body)
	var a struct {
		ErrorCode int                        `json:"error_code"`
		Result    map[string]json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		p.Fatalf("%s: %v", answer, err)
	}
	return a.ErrorCode, a.Result
}

func goodRegister() tpap.RegisterParams {
	return tpap.RegisterParams{
		Step: tpap.PakeRegister, Username: "21232f297a57a5a743894a0e4a801fc3", UserRandom: make([]byte, tpap.RandomSize),
		CipherSuites: []int{tpap.Suite}, Encryption: []string{tpap.Cipher}, PasscodeType: tpap.UserPassword,
	}
}

// register gets a challenge, and computes the proof for a password.
func (p prover) register(password string) (tpap.ShareParams, spake2plus.Keys) {
	p.Helper()
	code, result := p.step(goodRegister())
	if code != 0 {
		p.Fatalf("register: %d", code)
	}
	var salt, devRandom, devShare []byte
	var iterations int
	for name, into := range map[string]any{"dev_salt": &salt, "dev_random": &devRandom, "dev_share": &devShare, "iterations": &iterations} {
		if err := json.Unmarshal(result[name], into); err != nil {
			p.Fatal(err)
		}
	}
	credential, err := tpap.Account{Username: "u", Password: password}.Credential(result["extra_crypt"])
	if err != nil {
		p.Fatal(err)
	}
	secret, err := tpap.Derive(credential.Text, salt, iterations)
	if err != nil {
		p.Fatal(err)
	}
	half, err := secret.Prove()
	if err != nil {
		p.Fatal(err)
	}
	keys, err := half.Finish(tpap.Binding(make([]byte, tpap.RandomSize), devRandom), devShare)
	if err != nil {
		p.Fatal(err)
	}
	return tpap.ShareParams{Step: tpap.PakeShare, UserShare: half.Share(), UserConfirm: keys.ConfirmP}, keys
}

// login returns the path and the frames of a session that starts at 100.
func (p prover) login() (path string, frames *tpap.Frames) {
	p.Helper()
	params, keys := p.register("p")
	code, result := p.step(params)
	var token string
	if err := json.Unmarshal(result["stok"], &token); err != nil || code != 0 {
		p.Fatalf("share: %d, %v", code, err)
	}
	frames, err := tpap.NewFrames(keys.Shared)
	if err != nil {
		p.Fatal(err)
	}
	return tpap.Path(token), frames
}

func newProver(t *testing.T, o TPAPOptions) prover { return newProverAt(t, o, time.Now) }

func newProverAt(t *testing.T, o TPAPOptions, now func() time.Time) prover {
	t.Helper()
	o.StartSeq, o.Iterations = new(int32(100)), 10
	return prover{t, start(t, &Plug{Model: P110TPAP, TPAP: o, Now: now})}
}

// historyReply is the result of get_energy_data or get_power_data.
type historyReply struct {
	ErrorCode int `json:"error_code"`
	Result    struct {
		LocalTime string `json:"local_time"`
		Data      []int  `json:"data"`
		From      int64  `json:"start_timestamp"`
		To        int64  `json:"end_timestamp"`
	} `json:"result"`
}

// askHistory runs get_energy_data or get_power_data.
func (p *Plug) askHistory(t *testing.T, method string, from, to time.Time, interval int) historyReply {
	t.Helper()
	c, code := parseCall(fmt.Appendf(nil, `{"method":%q,"params":{"start_timestamp":%d,"end_timestamp":%d,"interval":%d}}`, method, from.Unix(), to.Unix(), interval))
	if code != 0 {
		t.Fatal(code)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var reply historyReply
	if err := json.Unmarshal(p.execute(c, Fault{}), &reply); err != nil {
		t.Fatal(err)
	}
	return reply
}

func sum(values []int) (n int) {
	for _, v := range values {
		n += v
	}
	return n
}
