// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package plugtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/tpap"
)

// Rogue is a host that poses as a TPAP plug and does not know the password. With each login
// it may try one guess. Its fields must not be changed while it is in use. It is safe for
// concurrent use.
type Rogue struct {
	// MAC returns the MAC address that it reports, and Scheme the JSON of `extra_crypt` that
	// it wants.
	MAC, Scheme func() string
	// Guess is the credential that it tries.
	Guess string
	// Answers has it answer a proof, with a confirmation that can be right only if its guess
	// is. Otherwise it keeps silent, as if the reply was lost.
	Answers bool

	mu                        sync.Mutex
	asked, proofs, rightGuess int
	finish                    func(tpap.ShareParams) (confirm []byte, right bool) // of the login in progress
}

// RogueStats is what a [Rogue] has seen.
type RogueStats struct {
	Asked        int // replies to discover
	Proofs       int // proofs that it got
	RightGuesses int // proofs that show that its guess is right
}

// Stats returns what it has seen.
func (r *Rogue) Stats() RogueStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return RogueStats{r.asked, r.proofs, r.rightGuess}
}

// DialContext connects to it, whatever the address.
func (r *Rogue) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go r.serve(server)
	return client, nil
}

// Listen has it answer on a loopback address until the test ends, and returns the address.
func (r *Rogue) Listen(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go r.serve(c)
		}
	}()
	return listener.Addr().String()
}

// serve answers the requests of a connection.
func (r *Rogue) serve(c net.Conn) {
	defer c.Close()
	for requests := bufio.NewReader(c); ; {
		req, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		var call struct {
			Params json.RawMessage `json:"params"`
		}
		_ = json.NewDecoder(req.Body).Decode(&call)
		reply, silent := r.reply(call.Params)
		if silent {
			continue
		}
		body, err := json.Marshal(reply)
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			return
		}
	}
}

// reply returns the reply to a request.
func (r *Rogue) reply(params json.RawMessage) (reply any, silent bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	result := func(members map[string]any) any { return map[string]any{"error_code": 0, "result": members} }
	var step struct {
		Step string `json:"sub_method"`
	}
	_ = json.Unmarshal(params, &step)
	switch step.Step {
	case tpap.Discover:
		r.asked++
		return result(map[string]any{"sub_method": tpap.Discover, "mac": r.MAC(), "tpap": map[string]any{"tls": 0, "port": 80, "pake": []int{2}}}), false
	case tpap.PakeRegister:
		var p tpap.RegisterParams
		_ = json.Unmarshal(params, &p)
		challenge, finish := r.challenge(p)
		r.finish = finish
		return result(challenge), false
	case tpap.PakeShare:
		r.proofs++
		var p tpap.ShareParams
		_ = json.Unmarshal(params, &p)
		confirm, right := r.finish(p)
		if right {
			r.rightGuess++
		}
		return result(map[string]any{"dev_confirm": confirm, "stok": "rogue", "start_seq": 1, "expired": 86400}), !r.Answers
	}
	return map[string]any{"error_code": -40401}, false
}

// challenge returns the result of pake_register, for the guess.
func (r *Rogue) challenge(p tpap.RegisterParams) (result map[string]any, finish func(tpap.ShareParams) (confirm []byte, right bool)) {
	salt, random := []byte("salt"), make([]byte, tpap.RandomSize)
	rand.Read(random)
	secret, err := tpap.Derive(r.Guess, salt, 1)
	if err != nil {
		panic(err)
	}
	record, err := secret.Record()
	if err != nil {
		panic(err)
	}
	verifier, err := record.Verify()
	if err != nil {
		panic(err)
	}
	finish = func(share tpap.ShareParams) ([]byte, bool) {
		keys, err := verifier.Finish(tpap.Binding(p.UserRandom, random), share.UserShare)
		return keys.ConfirmV, err == nil && bytes.Equal(keys.ConfirmP, share.UserConfirm)
	}
	return map[string]any{
		"dev_random": random, "dev_salt": salt, "dev_share": verifier.Share(), "cipher_suites": tpap.Suite, "iterations": 1,
		"encryption": tpap.Cipher, "extra_crypt": json.RawMessage(r.Scheme()),
	}, finish
}
