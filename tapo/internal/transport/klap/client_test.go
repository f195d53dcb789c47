// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package klap

import (
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
)

// challenge is the reply to handshake1 as the client keeps it.
func challenge(local, body []byte) Challenge {
	var ch Challenge
	copy(ch.local[:], local)
	copy(ch.remote[:], body)
	copy(ch.proof[:], body[SeedSize:])
	return ch
}

func TestChallengeVectors(t *testing.T) {
	v := vectors(t).KLAP
	for _, s := range v.Sessions {
		if !challenge(s.LocalSeed, s.Handshake1Response).Proves(s.Version, s.AuthHash) {
			t.Errorf("%s: not proved", s.Name)
		}
	}
	m := v.Mismatch
	ch := challenge(m.LocalSeed, m.Body)
	if ch.Proves(V2, V2.AuthHash(m.Username, m.Password)) {
		t.Error("other letter case: proved")
	}
	if !ch.Proves(V2, V2.AuthHash(m.DeviceUsername, m.Password)) {
		t.Error("the device's letter case: not proved")
	}
	d := v.Detection
	for version, body := range map[Version]hexBytes{V1: d.V1, V2: d.V2} {
		ch := challenge(d.LocalSeed, body)
		for _, try := range []Version{V1, V2} {
			if got := ch.Proves(try, try.AuthHash(d.Username, d.Password)); got != (try == version) {
				t.Errorf("a v%d device with v%d hashes: %t", version, try, got)
			}
		}
	}
}

func TestChallengeForms(t *testing.T) {
	v := vectors(t).KLAP
	page := []byte("<html><body><center>200 OK</center></body></html>")
	for name, tc := range map[string]struct {
		status int
		body   []byte
		want   bool
	}{
		"48 bytes":          {200, v.BodyForms.Body48, true},
		"49 bytes":          {200, v.BodyForms.Body49, true},
		"47 bytes":          {200, v.BodyForms.Body48[:47], false},
		"50 bytes":          {200, append(v.BodyForms.Body49, '\n'), false},
		"empty":             {200, nil, false},
		"JSON of 48 bytes":  {200, []byte(`{"error_code":1003,"result":{},"pad":"12345678"}`), false},
		"page of 49 bytes":  {200, page, false},
		"other status code": {403, v.BodyForms.Body48, false},
	} {
		if got := isChallenge(httpwire.Reply{Status: tc.status, Body: tc.body}); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
	if len(page) != 49 {
		t.Error("the stock page has another length than the vectors' longer form: take that case out")
	}
}
