// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package lockout

import (
	"encoding/json"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// TestRejectedCredentials: credentials are the same that lead to the same login, in the
// process that tried them and in one that has read their hashes.
func TestRejectedCredentials(t *testing.T) {
	refused := plug.Credentials{Username: "user@example.com", Password: "wrong"}
	otherPassword := plug.Credentials{Username: refused.Username, Password: "other"}
	otherUsername := plug.Credentials{Username: "other@example.com", Password: refused.Password}
	for _, tc := range []struct {
		name     string
		rejected transport.Rejected
		want     [2]bool // whether another password, another user name is the same
	}{
		{"both count", transport.Rejected{}, [2]bool{false, false}},
		{"the password counts", transport.Rejected{UsernameUnused: true}, [2]bool{false, true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ours := newHashed(refused, tc.rejected.UsernameUnused, true)
			text, err := json.Marshal(ours)
			if err != nil {
				t.Fatal(err)
			}
			stored := new(hashedCredentials)
			if err := json.Unmarshal(text, stored); err != nil {
				t.Fatal(err)
			}
			for where, r := range map[string]*hashedCredentials{"ours": &ours, "stored": stored} {
				for range 2 { // the second comparison of a stored one is remembered
					if got := [2]bool{r.is(otherPassword), r.is(otherUsername)}; got != tc.want {
						t.Errorf("%s: %v, want %v", where, got, tc.want)
					}
				}
			}
			if !ours.is(refused) || !stored.is(refused) {
				t.Error("not the same as itself")
			}
		})
	}
}
