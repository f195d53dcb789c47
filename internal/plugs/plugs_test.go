// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package plugs

import (
	"testing"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

func TestOpen(t *testing.T) {
	for name, tc := range map[string]struct {
		target config.Target
		want   tapo.Reason // "" if it opens
	}{
		"by address":       {config.Target{Address: "192.168.1.20"}, ""},
		"located":          {config.Target{Address: "192.168.1.20:80", MAC: "AA-BB-CC-00-11-22"}, ""},
		"no address":       {config.Target{Address: "http://192.168.1.20"}, tapo.Unreachable},
		"unknown protocol": {config.Target{Address: "192.168.1.20", Protocol: "matter"}, tapo.Unreachable},
	} {
		device, err := Open(tc.target, Options{})
		switch {
		case tc.want == "" && (err != nil || device == nil):
			t.Errorf("%s: %v", name, err)
		case tc.want != "" && (err == nil || err.Reason != tc.want || err.Advice == "" || device != nil):
			t.Errorf("%s: %v, want %s with an advice", name, err, tc.want)
		}
	}
}

func TestCheckAccount(t *testing.T) {
	if err := CheckAccount(config.Target{Credentials: tapo.Credentials{Username: "u", Password: "p"}}); err != nil {
		t.Error(err)
	}
	example := config.Target{Credentials: tapo.Credentials{Username: "u", Password: config.ExamplePassword}}
	if err := CheckAccount(example); err == nil || err.Reason != tapo.BadCredentials || err.Advice == "" {
		t.Errorf("the example's account: %v", err)
	}
}

func TestSameDevice(t *testing.T) {
	no, yes := false, true
	a := config.Target{Name: "a", Address: "192.168.1.20:80", VerifyReplies: &yes, Labels: map[string]string{"room": "kitchen"}}
	for name, tc := range map[string]struct {
		change func(*config.Target)
		want   bool
	}{
		"name":           {func(t *config.Target) { t.Name = "b" }, true},
		"labels":         {func(t *config.Target) { t.Labels = nil }, true},
		"default":        {func(t *config.Target) { t.VerifyReplies = nil }, true},
		"address":        {func(t *config.Target) { t.Address = "192.168.1.21:80" }, false},
		"MAC":            {func(t *config.Target) { t.MAC = "AA-BB-CC-00-11-22" }, false},
		"credentials":    {func(t *config.Target) { t.Credentials.Password = "x" }, false},
		"protocol":       {func(t *config.Target) { t.Protocol = tapo.KLAP }, false},
		"passthrough":    {func(t *config.Target) { t.AllowPassthrough = true }, false},
		"verify_replies": {func(t *config.Target) { t.VerifyReplies = &no }, false},
	} {
		b := a
		tc.change(&b)
		if got := SameDevice(a, b); got != tc.want {
			t.Errorf("another %s: %t", name, got)
		}
	}
}
