// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/internal/demo"
	"github.com/tapo-exporter/tapo_exporter/internal/hometest"
)

func TestDemo(t *testing.T) {
	t.Chdir(t.TempDir())
	p := start(t, "--demo")
	hometest.MustGet(t, p.url+"/-/ready")
	said := p.stdout.String()
	for _, want := range []string{demo.Username, demo.Password, p.url + "/sd", "scrape_configs:", "kettle", "klap", "tpap", "passthrough"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	if page := hometest.MustGet(t, p.url+"/"); strings.Count(page, " W</td>") < 6 || strings.Count(page, ">tpap</td>") != 2 || strings.Contains(page, "not read yet") {
		t.Errorf("the page shows no power:\n%s", page)
	}
	d, err := startDemo() // for the list of its targets
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if len(d.appliances) < 6 {
		t.Errorf("%d plugs", len(d.appliances))
	}
	for _, a := range d.appliances {
		body := hometest.MustGet(t, p.url+"/probe?target="+a.Name)
		if !strings.Contains(body, "tapo_up 1\n") {
			t.Errorf("%s:\n%s", a.Name, body)
		}
		if _, has := d.config.Target(a.Name); !has || a.Plug.Addr().Port() == 0 {
			t.Errorf("%s is not a target", a.Name)
		}
	}
	for _, target := range d.config.Targets {
		if target.Credentials != d.config.Auths[target.Auth].Credentials() {
			t.Errorf("%s has other credentials than its auth", target.Name)
		}
	}
}
