// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestSecretsAreHidden(t *testing.T) {
	c, err := Load(write(t, "t.yml", "auths: {home: {username: me@example.com, password: hunter2}, file: {username: me@example.com, password_file: "+write(t, "p", "hunter2")+"}}"), env{}.lookup)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hunter2") || strings.Contains(string(text), "example") || strings.Count(string(text), "<secret>") != 3 || !strings.Contains(string(text), "password_file: ") {
		t.Errorf("%s", text)
	}
}
