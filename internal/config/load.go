// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// Environment variables that define the account "default" where no file defines
// one.
const (
	envUsername     = "TAPO_USERNAME"
	envPassword     = "TAPO_PASSWORD"
	envPasswordFile = "TAPO_PASSWORD_FILE"

	envAuth = "default"
)

// Load reads, completes and checks a file. Without a path, the environment is
// all there is. lookupEnv is os.LookupEnv but in tests.
func Load(path string, lookupEnv func(string) (string, bool)) (*Config, error) {
	if path == "" {
		return parse(nil, ".", lookupEnv)
	}
	data, err := os.ReadFile(path) //nolint:gosec // the path is the operator's
	if err != nil {
		return nil, err
	}
	c, err := parse(data, filepath.Dir(path), lookupEnv)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// parse loads the content of a file that lies in dir.
func parse(data []byte, dir string, lookupEnv func(string) (string, bool)) (*Config, error) {
	c := &Config{}
	root, err := decode(data, c)
	if err != nil {
		return nil, err
	}
	l := loader{Config: c, root: root, dir: dir, lookupEnv: lookupEnv}
	l.completeAuths()
	l.checkTargets()
	l.checkDiscovery()
	l.checkUnlisted()
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	return c, nil
}

// decode reads one YAML document strictly, and as a tree to find lines in.
func decode(data []byte, c *Config) (*yaml.Node, error) {
	root := &yaml.Node{}
	if err := yaml.Unmarshal(data, root); err != nil {
		return nil, sanitize(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, sanitize(err)
	}
	var second yaml.Node
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: a second document: put everything into one", max(1, second.Line))
	}
	return root, nil
}

var (
	quoted  = regexp.MustCompile("`[^`]*`")
	alias   = regexp.MustCompile(`unknown anchor '[^']*' referenced`)
	goType  = regexp.MustCompile(`in type \S+`)
	intoAny = regexp.MustCompile(`cannot unmarshal (\S+) +into .*`)
)

// sanitize takes values of the file, and names of our types, out of a YAML
// error.
func sanitize(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.ReplaceAll(text, "unmarshal errors:\n  ", "")
	text = quoted.ReplaceAllString(text, "")
	text = alias.ReplaceAllString(text, "a value that starts with * must be in quotes")
	text = goType.ReplaceAllString(text, "here: no such setting")
	text = intoAny.ReplaceAllString(text, "a value of the wrong kind ($1)")
	text = strings.ReplaceAll(text, "field ", "")
	return errors.New(strings.ReplaceAll(text, "\n  ", "; "))
}

// loader gathers errors while it completes a configuration.
type loader struct {
	*Config
	root      *yaml.Node
	dir       string
	lookupEnv func(string) (string, bool)
	errs      []error
}

// fail adds an error about the place that path leads to: keys and indexes.
func (l *loader) fail(format string, args []any, path ...any) {
	err := fmt.Errorf(format, args...)
	if line := findLine(l.root, path); line > 0 {
		err = fmt.Errorf("line %d: %w", line, err)
	}
	l.errs = append(l.errs, err)
}

func (l *loader) warn(format string, args ...any) {
	l.Warnings = append(l.Warnings, fmt.Sprintf(format, args...))
}

// findLine returns the line of the deepest node on a path that exists, 0 if
// there is none.
func findLine(node *yaml.Node, path []any) int {
	if node == nil {
		return 0
	}
	if node.Kind == yaml.DocumentNode && len(node.Content) > 0 {
		return findLine(node.Content[0], path)
	}
	if len(path) == 0 {
		return node.Line
	}
	switch at := path[0].(type) {
	case int:
		if node.Kind == yaml.SequenceNode && at < len(node.Content) {
			return findLine(node.Content[at], path[1:])
		}
	case string:
		for pair := range slices.Chunk(node.Content, 2) { // key and value
			switch {
			case node.Kind != yaml.MappingNode || pair[0].Value != at:
			case len(path) == 1:
				return pair[0].Line
			default:
				return findLine(pair[1], path[1:])
			}
		}
	}
	return node.Line
}

// completeAuths reads password files, expands variables, and takes the account
// of the environment if the file has none.
func (l *loader) completeAuths() {
	for name, auth := range l.Auths {
		at := func(key string) []any { return []any{"auths", name, key} }
		auth.Username = l.expand(auth.Username, at("username"))
		auth.Password = tapo.Secret(l.expand(string(auth.Password), at("password")))
		auth.PasswordFile = l.expand(auth.PasswordFile, at("password_file"))
		l.Auths[name] = l.completeAuth(name, auth)
	}
	if len(l.Auths) == 0 {
		l.Auths = map[string]Auth{}
		auth, ok := l.envAuth()
		if !ok {
			l.fail("no account: define one under auths, or set %s and %s or %s", []any{envUsername, envPassword, envPasswordFile})
			return
		}
		l.Auths[envAuth] = l.completeAuth(envAuth, auth)
	}
}

// envAuth returns the account that the environment defines.
func (l *loader) envAuth() (Auth, bool) {
	username, hasUsername := l.lookupEnv(envUsername)
	password, hasPassword := l.lookupEnv(envPassword)
	file, hasFile := l.lookupEnv(envPasswordFile)
	return Auth{Username: username, Password: tapo.Secret(password), PasswordFile: file}, hasUsername && (hasPassword || hasFile)
}

func (l *loader) completeAuth(name string, a Auth) Auth {
	at := func(key string) []any { return []any{"auths", name, key} }
	switch {
	case a.Username == "":
		l.fail("auth %q: username is missing: the e-mail of the TP-Link account", []any{name}, at("username")...)
	case a.Password != "" && a.PasswordFile != "":
		l.fail("auth %q: both password and password_file", []any{name}, at("password_file")...)
	case a.PasswordFile != "":
		a.Password = l.readPassword(name, a.PasswordFile)
	case a.Password == "":
		l.fail("auth %q: password or password_file is missing", []any{name}, at("password")...)
	}
	return a
}

// readPassword reads a file, relative to the configuration's, without the line
// end that editors leave.
func (l *loader) readPassword(auth, file string) tapo.Secret {
	at := []any{"auths", auth, "password_file"}
	if !filepath.IsAbs(file) {
		file = filepath.Join(l.dir, file)
	}
	data, err := os.ReadFile(file) //nolint:gosec // the path is the operator's
	if err != nil {
		l.fail("auth %q: password_file: %w", []any{auth, err}, at...)
		return ""
	}
	password := strings.TrimRight(string(data), "\r\n")
	if password == "" {
		l.fail("auth %q: password_file %s is empty", []any{auth, file}, at...)
	}
	return tapo.Secret(password)
}

// variable is ${NAME}; a second dollar in front makes it literal.
var variable = regexp.MustCompile(`\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand replaces ${NAME} by the variable's value.
func (l *loader) expand(s string, at []any) string {
	return variable.ReplaceAllStringFunc(s, func(v string) string {
		if strings.HasPrefix(v, "$$") {
			return v[1:]
		}
		name := v[2 : len(v)-1]
		value, ok := l.lookupEnv(name)
		if !ok {
			l.fail("the environment variable %s is not set (write $${%s} for the text itself)", []any{name, name}, at...)
		}
		return value
	})
}
