// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package config

import "testing"

func TestCheckErrors(t *testing.T) {
	const two = "auths: {home: {username: u, password: hunter2}, office: {username: u, password: hunter2}}\n"
	wantErrors(t, []wrongFile{
		{"name twice", oneAuth + "targets:\n- {name: a, address: x}\n- {name: b, address: x}\n- {name: a, address: y}", `line 5: target "a": the name is taken by the target in line 3`},
		{"no name", oneAuth + "targets:\n- {address: x}", "line 3: target 1: name is missing"},
		{"unprintable name", oneAuth + "targets:\n- {name: \"a\\n\", address: x}", "line 3: target 1: the name has unprintable"},
		{"bidirectional name", oneAuth + "targets:\n- {name: \"a\u202eb\", address: x}", "line 3: target 1: the name has unprintable"},
		{"unknown auth", oneAuth + "targets:\n- {name: a, address: x, auth: other}", `line 3: target "a": there is no auth "other"`},
		{"no auth among two", two + "targets:\n- {name: a, address: x}", `line 3: target "a": auth is missing`},
		{"discovery without auth among two", two + "discovery: {enabled: true}", "line 2: discovery: auth is missing"},
		{"discovery with unknown auth", oneAuth + "discovery: {enabled: true, auth: x}", `line 2: discovery: there is no auth "x"`},
		{"discovery too often", oneAuth + "discovery: {enabled: true, interval: 1ms}", "line 2: discovery: interval must be at least 1s"},
		{"discovery address", oneAuth + "discovery: {enabled: true, addresses: [everywhere]}", "line 2: discovery: address 1: want an IPv4 address"},
		{"neither address nor mac", oneAuth + "targets:\n- {name: a}", `line 3: target "a": address or mac is missing`},
		{"both", oneAuth + "targets:\n- {name: a, address: x, mac: AA-BB-CC-00-11-22}", `line 3: target "a": both address and mac`},
		{"address is a URL", oneAuth + "targets:\n- name: a\n  address: http://x/", `line 4: target "a": address "http://x/"`},
		{"address with bad port", oneAuth + "targets:\n- name: a\n  address: x:99999", "line 4: "},
		{"bad mac", oneAuth + "targets:\n- {name: a, mac: AA-BB}", `line 3: target "a": mac must look like`},
		{"bad protocol", oneAuth + "targets:\n- {name: a, address: x, protocol: aes}", `line 3: target "a": protocol must be`},
		{"bad label", oneAuth + "targets:\n- name: a\n  address: x\n  labels: {the-room: x}", `line 5: target "a": label "the-room"`},
		{"reserved label", oneAuth + "targets:\n- {name: a, address: x, labels: {__address__: x}}", `label "__address__"`},
		{"instance as label", oneAuth + "targets:\n- {name: a, address: x, labels: {instance: x}}", `label "instance"`},
		{"outlet as label", oneAuth + "targets:\n- {name: a, address: x, labels: {outlet: x}}", `label "outlet"`},
		{"bad network", oneAuth + "unlisted:\n  networks: [hunter2]", "line 3: unlisted: network 1 must look like"},
		{"password in an address", oneAuth + "targets:\n- {name: a, address: 'user:hunter2@192.168.1.20'}", "line 3: target \"a\": the address has a user in it"},
	})
}
