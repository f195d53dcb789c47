// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// loadDraft loads a draft, with an account in the environment if the draft has
// none.
func loadDraft(t *testing.T, text string) (*Config, error) {
	t.Helper()
	account := env{}
	if !strings.Contains(text, "auths:") {
		account = env{"TAPO_USERNAME": "me@example.com", "TAPO_PASSWORD": "secret"}
	}
	return Load(write(t, "targets.yml", text), account.lookup)
}

// TestDraftLoads: a draft is a configuration, and so is one with its comments
// put to use.
func TestDraftLoads(t *testing.T) {
	d := Draft{
		Targets: []DraftTarget{
			{Name: "p110-1122", Address: "192.0.2.1", MAC: "AA-BB-CC-00-11-22", About: "P110(EU), klap"},
			{Name: "p110-1122", Address: "192.0.2.2:8080", MAC: "AA-BB-CC-01-11-22", About: "P110(EU), passthrough", OldFirmware: true},
			{Name: "0110", Address: "192.0.2.3", MAC: "AA-BB-CC-02-11-22", About: "a name that YAML takes for a number"},
		},
		Addresses: []string{"192.0.2.255"},
		Others:    []string{"C200 at 192.0.2.9: no plug"},
	}
	for _, fromEnvironment := range []bool{false, true} {
		d.AccountFromEnvironment = fromEnvironment
		c, err := loadDraft(t, d.String())
		if err != nil {
			t.Fatalf("%v in\n%s", err, d)
		}
		var names []string
		for _, target := range c.Targets {
			names = append(names, target.Name)
		}
		if want := []string{"p110-1122", "p110-1122-192.0.2.2-8080", "0110"}; !slices.Equal(names, want) {
			t.Errorf("names %q, want %q", names, want)
		}
		if want := []string{"192.0.2.255"}; !slices.Equal(c.Discovery.Addresses, want) || c.Targets[1].Address != "192.0.2.2:8080" {
			t.Errorf("%+v", c)
		}
		if c.Targets[0].HasExampleAccount() == fromEnvironment {
			t.Errorf("the account is %q", c.Targets[0].Credentials.Username)
		}

		used := strings.ReplaceAll(strings.ReplaceAll(d.String(), "    address: ", "    # address: "), "    # mac: ", "    mac: ")
		used = strings.ReplaceAll(used, "# allow_passthrough:", "allow_passthrough:")
		if c, err = loadDraft(t, used); err != nil {
			t.Fatalf("%v in\n%s", err, used)
		}
		if c.Targets[0].MAC != "AA-BB-CC-00-11-22" || c.Targets[0].AllowPassthrough || !c.Targets[1].AllowPassthrough {
			t.Errorf("%+v", c.Targets)
		}
	}
}

func TestEmptyDraft(t *testing.T) {
	text := Draft{AccountFromEnvironment: true}.String()
	if c, err := loadDraft(t, text); err != nil || len(c.Targets) > 0 || c.Discovery.Addresses != nil {
		t.Errorf("%v of\n%s", err, text)
	}
	if regexp.MustCompile(`(?m)^(auths|discovery|# Found)`).MatchString(text) {
		t.Errorf("%s", text)
	}
}
