// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// env is an environment.
type env map[string]string

func (e env) lookup(name string) (string, bool) {
	v, ok := e[name]
	return v, ok
}

func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const everything = `
auths:
  home:
    username: me@example.com
    password: ${SECRET}
  office: {username: "${MAIL}", password_file: password}
targets:
  - name: fridge
    address: 192.168.1.20
    auth: home
    labels: {room: kitchen}
    protocol: klap
  - {name: old, address: "plug.lan:8080", auth: office, allow_passthrough: true, verify_replies: false}
  - {name: wanderer, mac: aa:bb:cc:00:11:22, auth: home, allow_passthrough: true}
  - {name: twin, mac: AABBCC001122, auth: home}
discovery:
  enabled: true
  auth: home
  interval: 10m
  addresses: [192.168.1.255]
unlisted:
  networks: [10.0.0.0/8]
`

func TestLoadEverything(t *testing.T) {
	path := write(t, "targets.yml", everything)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "password"), []byte("from file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, env{"SECRET": "from ${env}", "MAIL": "you@example.com"}.lookup)
	if err != nil {
		t.Fatal(err)
	}
	no := false
	home := tapo.Credentials{Username: "me@example.com", Password: "from ${env}"}
	office := tapo.Credentials{Username: "you@example.com", Password: "from file"}
	want := &Config{
		Auths: map[string]Auth{
			"home":   {Username: home.Username, Password: home.Password},
			"office": {Username: office.Username, Password: office.Password, PasswordFile: "password"},
		},
		Targets: []Target{
			{Name: "fridge", Address: "192.168.1.20", Auth: "home", Labels: map[string]string{"room": "kitchen"}, Protocol: tapo.KLAP, Credentials: home},
			{Name: "old", Address: "plug.lan:8080", Auth: "office", AllowPassthrough: true, VerifyReplies: &no, Credentials: office},
			{Name: "wanderer", MAC: "AA-BB-CC-00-11-22", Auth: "home", AllowPassthrough: true, Credentials: home},
			{Name: "twin", MAC: "AA-BB-CC-00-11-22", Auth: "home", Credentials: home},
		},
		Discovery: Discovery{Enabled: true, Auth: "home", Interval: 10 * time.Minute, Addresses: []string{"192.168.1.255"}},
		Unlisted:  Unlisted{Networks: []string{"10.0.0.0/8"}},
	}
	if diff := cmp.Diff(want, c, cmpopts.IgnoreFields(Config{}, "Warnings"), cmpopts.IgnoreUnexported(Config{}, Unlisted{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	warnings := strings.Join(c.Warnings, "\n")
	for _, w := range []string{`"old": allow_passthrough`, `"old": verify_replies`, `"wanderer": allow_passthrough needs`, `"wanderer" and "twin" have the same`} {
		if !strings.Contains(warnings, w) {
			t.Errorf("no warning about %s in %q", w, warnings)
		}
	}
	for name, want := range map[string]string{
		"fridge": "fridge", "192.168.1.20": "fridge", "192.168.1.20:80": "fridge", "plug.lan:8080": "old",
		"plug.lan": "", "192.168.1.20:81": "", "": "", "AA-BB-CC-00-11-22": "",
	} {
		if got, ok := c.Target(name); got.Name != want || ok != (want != "") {
			t.Errorf("%q finds %q, %t", name, got.Name, ok)
		}
	}
	if _, ok := c.OnlyAuth(); ok {
		t.Error("there are two accounts")
	}
}

func TestDefaults(t *testing.T) {
	c, err := Load(write(t, "targets.yml", "auths: {home: {username: u, password: p}}\ntargets: [{name: a, address: a}]\ndiscovery: {enabled: true}"), env{}.lookup)
	if err != nil {
		t.Fatal(err)
	}
	if c.Targets[0].Auth != "home" || c.Discovery.Auth != "home" || !c.Searches() {
		t.Errorf("%+v", c)
	}
	for addr, want := range map[string]bool{
		"10.1.2.3": true, "172.16.0.1": true, "172.32.0.1": false, "192.168.255.1": true, "fd12::1": true, "fe80::1": false, "127.0.0.1": false, "8.8.8.8": false,
	} {
		if got := c.Unlisted.Allows(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %t", addr, got)
		}
	}
}

func TestEnvironment(t *testing.T) {
	file := write(t, "password", "from file\n")
	for _, tc := range []struct {
		name string
		env  env
		want tapo.Credentials
	}{
		{"password", env{"TAPO_USERNAME": "u", "TAPO_PASSWORD": "p${X}"}, tapo.Credentials{Username: "u", Password: "p${X}"}},
		{"file", env{"TAPO_USERNAME": "u", "TAPO_PASSWORD_FILE": file}, tapo.Credentials{Username: "u", Password: "from file"}},
	} {
		c, err := Load("", tc.env.lookup)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if got := c.Auths["default"].Credentials(); got != tc.want {
			t.Errorf("%s: %q %q", tc.name, got.Username, string(got.Password))
		}
	}
	for _, e := range []env{{}, {"TAPO_USERNAME": "u"}, {"TAPO_PASSWORD": "p"}, {"TAPO_USERNAME": "", "TAPO_PASSWORD": "p"}, {"TAPO_USERNAME": "u", "TAPO_PASSWORD": "p", "TAPO_PASSWORD_FILE": file}} {
		if _, err := Load("", e.lookup); err == nil {
			t.Errorf("accepted %v", e)
		}
	}
	path := write(t, "targets.yml", "targets: [{name: a, address: a}]")
	c, err := Load(path, env{"TAPO_USERNAME": "u", "TAPO_PASSWORD": "p"}.lookup)
	if err != nil || c.Targets[0].Auth != "default" {
		t.Errorf("targets without auths: %v", err)
	}
	path = write(t, "targets.yml", "auths: {home: {username: a, password: b}}")
	c, err = Load(path, env{"TAPO_USERNAME": "u", "TAPO_PASSWORD": "p"}.lookup)
	if err != nil || len(c.Auths) != 1 {
		t.Errorf("auths in the file: %v", err)
	}
}

func TestExpansion(t *testing.T) {
	for in, want := range map[string]string{
		"${A}":        "1",
		"x${A}y${B}z": "x1y2z",
		"$${A}":       "${A}",
		"$A":          "$A",
		"${A":         "${A",
		"${}":         "${}",
		"${1}":        "${1}",
		"pa$$word":    "pa$$word",
		"$$${A}":      "$${A}",
	} {
		quoted, err := yaml.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Load(write(t, "t.yml", "auths:\n home:\n  username: u\n  password: "+string(quoted)), env{"A": "1", "B": "2"}.lookup)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := string(c.Auths["home"].Password); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	c, err := Load(write(t, "t.yml", "auths: {h: {username: u, password: p}}\ntargets: [{name: 'a ${A}', address: a, labels: {l: '${A}'}}]"), env{"A": "1"}.lookup)
	if err != nil || c.Targets[0].Name != "a ${A}" || c.Targets[0].Labels["l"] != "${A}" {
		t.Errorf("expanded outside of credentials: %+v, %v", c, err)
	}
}

// wantErrors loads files that are wrong. It also looks for the word hunter2, which
// stands wherever a password might be misplaced, and must not be repeated.
func wantErrors(t *testing.T, files []wrongFile) {
	t.Helper()
	for _, tc := range files {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Load(write(t, "targets.yml", tc.yaml), env{}.lookup)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%q is not in %q", tc.want, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in %q", err)
			}
		})
	}
}

type wrongFile struct{ name, yaml, want string }

const oneAuth = "auths: {home: {username: u, password: hunter2}}\n"

func TestErrors(t *testing.T) {
	wantErrors(t, []wrongFile{
		{"nothing", "", "no account"},
		{"only a comment", "# nothing\n", "no account"},
		{"unknown key at the top", oneAuth + "target: []", "line 2: target: no such setting here"},
		{"unknown key in a target", oneAuth + "targets:\n  - name: a\n    addr: hunter2", "line 4: addr: no such setting"},
		{"unknown key in an auth", "auths:\n  home:\n    username: u\n    passwort: hunter2", "line 4: no such setting: an account has"},
		{"unknown key in discovery", oneAuth + "discovery: {on: true}", "line 2: on: no such setting"},
		{"unknown key in unlisted", oneAuth + "unlisted: {network: []}", "line 2: network: no such setting"},
		{"key twice", "auths:\n  home: {username: u, password: hunter2}\n  home: {username: u, password: hunter2}", "line 3: the same key as in line 2"},
		{"second document", oneAuth + "---\nauths: {}", "line 2: a second document"},
		{"second document that is broken", oneAuth + "---\n[", "a second document"},
		{"discovery interval", oneAuth + "discovery: {interval: often}", "line 2: a text where something else belongs"},
		{"no username", "auths:\n  home:\n    password: hunter2", `line 3: auth "home": username is missing`},
		{"no password", "auths:\n  home: {username: u}", `line 2: auth "home": password or password_file is missing`},
		{"both passwords", "auths:\n  home: {username: u, password: hunter2, password_file: x}", `line 2: auth "home": both password`},
		{"missing password file", "auths:\n  home: {username: u, password_file: not-there}", `line 2: auth "home": password_file not-there: `},
		{"unset variable", "auths:\n  home: {username: u, password: '${NOT_SET}'}", "line 2: the environment variable NOT_SET is not set"},
		{"unset variable inside", "auths:\n  home: {username: u, password: '${hunter2}x'}", "line 2: an environment variable within the text is not set"},
		{"password in place of auths", "auths: hunter2", "line 1: a text where something else belongs"},
		{"password in place of an auth", "auths: {home: hunter2}", "line 1: a text where something else belongs"},
		{"password as a list", "auths: {home: {username: u, password: [hunter2]}}", "line 1: a list where something else belongs"},
		{"password that looks like an alias", "auths: {home: {username: u, password: *hunter2}}", "line 1: a value that starts with * must be in quotes"},
		{"password that looks like a tag", "auths:\n  home:\n    username: u\n    password: !hunter2", "line 4: a value that starts with ! must be in quotes"},
		{"password without a blank before it", "auths:\n  home: {username: u, password:hunter2}", "line 2: no such setting: an account has"},
		{"the same twice", "auths:\n  home: {username: u, password:hunter2, password:hunter2}", "line 2: the same key as in line 2"},
		{"password with a backtick in place of an auth", "auths:\n  home: 'pa`hunter2`x'", "line 2: a text where something else belongs"},
		{"password with a bad start", "auths: {home: {username: u, password: @hunter2}}", "that is not in quotes?"},
		{"not YAML", "auths: {home: {username: u, password: hunter2", "line 1"},
		{"a tab", "auths:\n\thome: hunter2", "line 2"},
	})
}

func TestAllErrorsAreReported(t *testing.T) {
	_, err := Load(write(t, "targets.yml", "auths: {home: {username: u, password: p}}\ntargets:\n- {name: a}\n- {name: b, address: x, protocol: y}"), env{}.lookup)
	if err == nil || !strings.Contains(err.Error(), "line 3") || !strings.Contains(err.Error(), "line 4") {
		t.Errorf("got %v", err)
	}
}

func TestPasswordThatLosesItsEnd(t *testing.T) {
	for password, want := range map[string]int{"sec #ret": 1, "sec # a remark": 0, "sec#ret": 0, "'sec #ret'": 0, "'sec' # fine": 0} {
		c, err := Load(write(t, "t.yml", "auths:\n  home:\n    username: u\n    password: "+password+"\n"), env{}.lookup)
		if err != nil || len(c.Warnings) != want {
			t.Errorf("%s: %v, %v", password, c, err)
		}
	}
}

func TestEmptyPasswordFile(t *testing.T) {
	_, err := Load(write(t, "targets.yml", "auths: {home: {username: u, password_file: "+write(t, "password", "\n")+"}}"), env{}.lookup)
	if err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("got %v", err)
	}
}

func TestPasswordsThatYAMLMightMistake(t *testing.T) {
	for in, want := range map[string]string{"12345": "12345", "0x10": "0x10", "true": "true", "1e3": "1e3", "' a '": " a ", `"p\"q"`: `p"q`} {
		c, err := Load(write(t, "t.yml", "auths: {home: {username: u, password: "+in+"}}"), env{}.lookup)
		if err != nil || string(c.Auths["home"].Password) != want {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestExampleLoads(t *testing.T) {
	data, err := os.ReadFile("../../targets.yml.example")
	if err != nil {
		t.Fatal(err)
	}
	load := func(text string) *Config {
		t.Helper()
		path := write(t, "targets.yml", text)
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "password"), []byte("p\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, env{"TAPO_PASSWORD": "p"}.lookup)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := load(string(data)); len(c.Targets) == 0 || len(c.Auths) != 1 {
		t.Errorf("%+v", c)
	}
	// What is commented out is offered for use, so it must be right as well.
	var all strings.Builder
	for line := range strings.Lines(string(data)) {
		if indent, rest, ok := strings.Cut(line, "#: "); ok && strings.TrimSpace(indent) == "" {
			line = indent + rest
		}
		all.WriteString(line)
	}
	c := load(all.String())
	if len(c.Auths) < 2 || !c.Discovery.Enabled || len(c.Targets) < 3 {
		t.Errorf("%+v", c)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(everything)
	f.Add("auths: {home: {username: u, password: p}}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parse([]byte(text), t.TempDir(), env{}.lookup)
		if (c == nil) == (err == nil) {
			t.Errorf("%+v, %v", c, err)
		}
	})
}
